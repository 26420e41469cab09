/* SPDX-License-Identifier: MIT */
/*
 * space/shm.c: shared memory by name, as shm_open has it.
 *
 * 1. A name is a reference to an object, with an owner and a mode; nothing
 * else. Who opens it gets a reference of their own, so unlinking takes the name
 * alone: the memory goes with the last descriptor and mapping. Names are few
 * (a database has one or two), so they are a list.
 *
 * 2. Invariants
 *
 * [shm.1] No two names are equal; each has a reference to its object.
 * [shm.2] A segment that is not removed has a reference to its object, and its
 *	key, if it has one, alone; one that is removed has neither, and is gone
 *	with its object.
 * [shm.3] The sum of all segments' pages is right, and no two have one id.
 *
 * 3. Locks. One for names and segments (QR_RANK_SHM): it may be taken with a
 * space's lock held, since the last mapping of a removed segment may end under
 * that. References are dropped after it, for the last one comes back here.
 *
 * Rejected: names as files of the embedder's file system. Who has one can do
 * without this; who has none has what POSIX asks for.
 */
#include "shm_impl.h"

#include "../base/check.h"

/* --- names --- */

/* The name without its slash, and its length; 0: it is none. */
static size_t
name_length(const char **name)
{
	size_t length = 0;
	if (**name == '/')
		(*name)++;
	while ((*name)[length] != '\0' && length <= QR_SHM_NAME_MAX) {
		if ((*name)[length] == '/')
			return 0;
		length++;
	}
	return length;
}

static bool
name_is(const struct qr_shm_name *name, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (name->name[i] != text[i])
			return false;
	}
	return name->name[length] == '\0';
}

/* (shm lock) */
static struct qr_shm_name *
name_find(struct qr_spaces *spaces, const char *text, size_t length)
{
	struct qr_list *link;
	qr_list_for_each (link, &spaces->shm.names) {
		struct qr_shm_name *name =
		    QR_CONTAINER(link, struct qr_shm_name, link);
		if (name_is(name, text, length))
			return name;
	}
	return NULL;
}

bool
qr_shm_allows(const struct qr_shm_owner *owner, const struct qr_asker *asker,
    unsigned wanted)
{
	unsigned granted = owner->mode;
	if (asker->uid == owner->uid[0] || asker->uid == owner->uid[1])
		granted >>= 6;
	else if (asker->gid == owner->gid[0] || asker->gid == owner->gid[1])
		granted >>= 3;
	return asker->privileged || (wanted & ~granted & 07) == 0;
}

static int
open_check(const struct qr_shm_name *name, const struct qr_shm_open *call)
{
	const struct qr_shm_owner owner = {
		.uid = { name->uid, name->uid },
		.gid = { name->gid, name->gid },
		.mode = name->mode,
	};
	unsigned both = QR_SHM_O_CREAT | QR_SHM_O_EXCL;
	if ((call->flags & both) == both)
		return -QR_EEXIST;
	bool writes = (call->flags & (QR_SHM_O_RDWR | QR_SHM_O_TRUNC)) != 0;
	return qr_shm_allows(&owner, &call->asker, writes ? 06 : 04)
		   ? 0
		   : -QR_EACCES;
}

/* A name with a new object, not in the list. */
static int
name_make(struct qr_spaces *spaces, const struct qr_shm_open *call,
    struct qr_shm_name **made)
{
	const struct qr_object_request request = { .size_bytes = 0 };
	struct qr_shm_name *name =
	    qr_slab_alloc(spaces->shm.name_cache, QR_GFP_KERNEL);
	if (name == NULL)
		return -QR_ENOMEM;
	__builtin_memset(name, 0, sizeof(*name));
	int error = qr_object_new(&spaces->cache, &request, &name->object);
	if (error != 0) {
		qr_slab_free(spaces->shm.name_cache, name);
		return error;
	}
	name->uid = call->asker.uid;
	name->gid = call->asker.gid;
	name->mode = call->mode & 0777;
	*made = name;
	return 0;
}

/* Ends a name that is in no list. */
static void
name_end(struct qr_spaces *spaces, struct qr_shm_name *name)
{
	if (name == NULL)
		return;
	qr_object_put(name->object);
	qr_slab_free(spaces->shm.name_cache, name);
}

int
qr_shm_open(struct qr_space *space, const struct qr_shm_open *call,
    struct qr_object **object)
{
	struct qr_spaces *spaces = space->spaces;
	const char *text = call->name;
	size_t length = name_length(&text);
	struct qr_shm_name *made = NULL;
	int error = 0;
	if (length == 0)
		return -QR_EINVAL;
	if (length > QR_SHM_NAME_MAX)
		return -QR_ENAMETOOLONG;
	/* Before the lock; in vain if the name is there. */
	if ((call->flags & QR_SHM_O_CREAT) != 0)
		error = name_make(spaces, call, &made);
	if (error != 0)
		return error;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	struct qr_shm_name *name = name_find(spaces, text, length);
	if (name != NULL) {
		error = open_check(name, call);
	} else if (made == NULL) {
		error = -QR_ENOENT;
	} else {
		__builtin_memcpy(made->name, text, length);
		qr_list_push_back(&spaces->shm.names, &made->link);
		name = made;
		made = NULL;
	}
	if (error == 0) {
		qr_object_get(name->object);
		*object = name->object;
	}
	qr_lock_release(spaces->port, &spaces->shm.lock);
	name_end(spaces, made);
	if (error != 0 || (call->flags & QR_SHM_O_TRUNC) == 0)
		return error;
	error = qr_object_resize(*object, 0);
	if (error != 0)
		qr_object_put(*object);
	return error;
}

int
qr_shm_unlink(struct qr_space *space, const char *text,
    const struct qr_asker *asker)
{
	struct qr_spaces *spaces = space->spaces;
	size_t length = name_length(&text);
	int error = 0;
	if (length == 0)
		return -QR_EINVAL;
	if (length > QR_SHM_NAME_MAX)
		return -QR_ENAMETOOLONG;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	struct qr_shm_name *name = name_find(spaces, text, length);
	if (name == NULL)
		error = -QR_ENOENT;
	else if (!asker->privileged && asker->uid != name->uid)
		error = -QR_EACCES;
	else
		qr_list_remove(&name->link);
	qr_lock_release(spaces->port, &spaces->shm.lock);
	if (error == 0)
		name_end(spaces, name);
	return error;
}

/* --- names and segments of a machine --- */

void
qr_shm_init(struct qr_spaces *spaces)
{
	qr_lock_init(&spaces->shm.lock, QR_RANK_SHM);
	qr_list_init(&spaces->shm.names);
	qr_list_init(&spaces->shm.segments);
	spaces->shm.segment_bytes_max = QR_OBJECT_BYTES_MAX;
	spaces->shm.pages_max = QR_OBJECT_BYTES_MAX >> QR_PAGE_SHIFT;
	spaces->shm.segments_max = 4096;
}

void
qr_spaces_end_shared(struct qr_spaces *spaces)
{
	struct qr_list *link;
	while ((link = qr_list_pop_front(&spaces->shm.names)) != NULL)
		name_end(spaces, QR_CONTAINER(link, struct qr_shm_name, link));
	/* Each goes with this reference. */
	while ((link = qr_list_first(&spaces->shm.segments)) != NULL)
		qr_object_put(
		    QR_CONTAINER(link, struct qr_segment, link)->object);
}

static void
check_segment(const struct qr_spaces *spaces, const struct qr_segment *segment)
{
	const struct qr_list *link;
	qr_list_for_each (link, &spaces->shm.segments) {
		const struct qr_segment *other =
		    QR_CONTAINER((uintptr_t)link, struct qr_segment, link);
		QR_ASSERT(other == segment || other->is.id != segment->is.id,
		    "shm.3: two segments have id %d", segment->is.id);
		QR_ASSERT(other == segment ||
			      segment->is.key == QR_IPC_PRIVATE ||
			      other->is.key != segment->is.key,
		    "shm.2: two segments have key %d", segment->is.key);
	}
}

void
qr_check_shm(struct qr_spaces *spaces)
{
	const struct qr_list *link;
	uint64_t pages = 0;
	unsigned count = 0;
	qr_list_for_each (link, &spaces->shm.segments) {
		const struct qr_segment *segment =
		    QR_CONTAINER((uintptr_t)link, struct qr_segment, link);
		check_segment(spaces, segment);
		pages += segment->pages;
		count++;
	}
	QR_ASSERT(pages == spaces->shm.pages && count == spaces->shm.count,
	    "shm.3: %u segments, %llu pages; counted %u, %llu", count,
	    (unsigned long long)pages, spaces->shm.count,
	    (unsigned long long)spaces->shm.pages);
}
