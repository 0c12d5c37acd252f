/* api.h: what the files of the public interface share. */
#ifndef RKV_API_H
#define RKV_API_H

#include "base/buf.h"
#include "respkv.h"
#include "serve/store.h"

struct rkv_store {
    store store;
};

struct rkv_view {
    db *db;
    db_view *view;
};

/* Give a report away as a text, with RKV_OK and with RKV_ECORRUPT; drop it with other statuses. */
int api_give_report(int rc, buf *report, char **out);

#endif
