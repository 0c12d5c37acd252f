/* list.h: a doubly linked list whose links lie in the members.
 *
 * A head is a link that points at itself. A member is in at most one list by each of its links; a link that is in none points
 * at itself too, so that removing it again does nothing.
 */
#ifndef RKV_BASE_LIST_H
#define RKV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list {
    struct list *prev, *next;
} list;

/* The struct that has l as its member. */
#define list_entry(l, type, member) ((type *)((char *)(l)-offsetof(type, member)))

static inline void list_init(list *l) {
    l->prev = l->next = l;
}

static inline bool list_empty(const list *l) {
    return l->next == l;
}

static inline void list_remove(list *l) {
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Make l the last of head; it leaves the list that it was in. */
static inline void list_append(list *head, list *l) {
    list_remove(l);
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/* Take the first, or NULL. */
static inline list *list_pop(list *head) {
    if (list_empty(head)) return NULL;
    list *l = head->next;
    list_remove(l);
    return l;
}

/* Move all members of from to the end of head. */
static inline void list_take(list *head, list *from) {
    if (list_empty(from)) return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

#endif
