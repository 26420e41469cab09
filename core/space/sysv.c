/* SPDX-License-Identifier: MIT */
/*
 * space/sysv.c: System V shared memory: segments by key and by id.
 *
 *	shmget           shmat            shmdt, munmap, exit
 *	  |                |                 |
 *	  v                v                 v
 *	kept ----------> attached --------> kept          reference: the table's
 *	  | IPC_RMID       | IPC_RMID
 *	  v                v
 *	gone <--------- removed, attached                 references: the views'
 *	      the last detach
 *
 * An attachment is an area that shows the segment's object, so a fork keeps
 * it, an exec and an exit drop it, and the number of attachments is the
 * object's number of views; nothing is counted here. A removed segment has no
 * key but can still be found by its id, as on Linux; its object tells when it
 * goes (qr_object.gone), under whatever lock the last mapping ended. An id is
 * a number that is taken again and how often it was, so that an old one is
 * known to be old (-QR_EIDRM).
 *
 * Known differences: an area that was split joins again, and is then one
 * attachment; and the time of a detachment is noted for shmdt alone. Keeps
 * [shm.2], [shm.3].
 */
#include "shm_impl.h"

#include "../base/bits.h"
#include "../base/check.h"

/* The low bits of an id are its number, the others say how often that was
 * used; as many as on Linux. */
#define ID_MASK ((1u << 15) - 1)

static struct qr_segment *
segment_of(struct qr_list *link)
{
	return QR_CONTAINER(link, struct qr_segment, link);
}

/* --- finding; (shm lock) --- */

static struct qr_segment *
segment_by_key(struct qr_spaces *spaces, int32_t key)
{
	struct qr_list *link;
	qr_list_for_each (link, &spaces->shm.segments) {
		if (segment_of(link)->is.key == key)
			return segment_of(link);
	}
	return NULL;
}

static bool
segment_is_removed(const struct qr_segment *segment)
{
	return (segment->is.mode & QR_SHM_DEST) != 0;
}

/* -QR_EINVAL: there is none of that number; -QR_EIDRM: not any more. */
static int
segment_by_id(struct qr_spaces *spaces, int id, struct qr_segment **segment)
{
	struct qr_list *link;
	if (id < 0)
		return -QR_EINVAL;
	qr_list_for_each (link, &spaces->shm.segments) {
		struct qr_segment *at = segment_of(link);
		if ((((unsigned)at->is.id ^ (unsigned)id) & ID_MASK) != 0)
			continue;
		*segment = at;
		return at->is.id == id ? 0 : -QR_EIDRM;
	}
	return -QR_EINVAL;
}

static bool
segment_has_number(const struct qr_spaces *spaces, unsigned number)
{
	const struct qr_list *link;
	qr_list_for_each (link, &spaces->shm.segments) {
		const struct qr_segment *at =
		    QR_CONTAINER((uintptr_t)link, struct qr_segment, link);
		if (((unsigned)at->is.id & ID_MASK) == number)
			return true;
	}
	return false;
}

static struct qr_shm_owner
segment_owner(const struct qr_segment *segment)
{
	return (struct qr_shm_owner){
		.uid = { segment->is.uid, segment->is.creator_uid },
		.gid = { segment->is.gid, segment->is.creator_gid },
		.mode = segment->is.mode,
	};
}

/* wanted: a mode, of which each third counts. */
static bool
segment_allows(const struct qr_segment *segment, const struct qr_asker *asker,
    unsigned wanted)
{
	struct qr_shm_owner owner = segment_owner(segment);
	return qr_shm_allows(&owner, asker,
	    (wanted >> 6 | wanted >> 3 | wanted) & 07);
}

static bool
segment_is_owned(const struct qr_segment *segment, const struct qr_asker *asker)
{
	return asker->privileged || asker->uid == segment->is.uid ||
	       asker->uid == segment->is.creator_uid;
}

static uint64_t
now(const struct qr_spaces *spaces)
{
	return spaces->port->ops->clock(spaces->port->ctx);
}

/* --- shmget --- */

/* The segment's object is gone, and so is the segment. */
static void
segment_gone(void *ctx)
{
	struct qr_segment *segment = ctx;
	struct qr_spaces *spaces = segment->spaces;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	qr_list_remove(&segment->link);
	spaces->shm.pages -= segment->pages;
	spaces->shm.count--;
	qr_lock_release(spaces->port, &spaces->shm.lock);
	qr_slab_free(spaces->shm.segment_cache, segment);
}

/* (shm lock) */
static int
segment_check_room(const struct qr_spaces *spaces, uint64_t size_bytes)
{
	uint64_t pages = qr_div_round_up(size_bytes, QR_PAGE_SIZE);
	if (size_bytes == 0 || size_bytes > spaces->shm.segment_bytes_max)
		return -QR_EINVAL;
	if (pages > spaces->shm.pages_max -
			qr_min(spaces->shm.pages, spaces->shm.pages_max))
		return -QR_ENOSPC;
	return 0;
}

static int
segment_make(struct qr_spaces *spaces, const struct qr_shmget *call,
    struct qr_segment **out)
{
	const struct qr_object_request request = {
		.size_bytes = call->size_bytes,
		.flags = QR_OBJECT_RESERVED,
	};
	struct qr_segment *segment =
	    qr_slab_alloc(spaces->shm.segment_cache, QR_GFP_KERNEL);
	if (segment == NULL)
		return -QR_ENOMEM;
	__builtin_memset(segment, 0, sizeof(*segment));
	int error = qr_object_new(&spaces->cache, &request, &segment->object);
	if (error != 0) {
		qr_slab_free(spaces->shm.segment_cache, segment);
		return error;
	}
	segment->spaces = spaces;
	segment->pages = qr_div_round_up(call->size_bytes, QR_PAGE_SIZE);
	segment->is = (struct qr_shm_segment){
		.key = call->key,
		.uid = call->asker.uid,
		.gid = call->asker.gid,
		.creator_uid = call->asker.uid,
		.creator_gid = call->asker.gid,
		.mode = call->flags & 0777,
		.size_bytes = call->size_bytes,
		.creator_pid = call->asker.pid,
		.change_ns = now(spaces),
	};
	*out = segment;
	return 0;
}

/* Puts a segment in the table; it has the object's first reference. (shm
 * lock) */
static int
segment_enter(struct qr_spaces *spaces, struct qr_segment *segment)
{
	if (spaces->shm.count >= spaces->shm.segments_max)
		return -QR_ENOSPC;
	/* Ends: there are fewer segments than numbers. The numbers go round, so
	 * the next one is mostly free. */
	while (segment_has_number(spaces, spaces->shm.next & ID_MASK))
		spaces->shm.next++;
	segment->is.id = (int)(spaces->shm.next++ & INT32_MAX);
	segment->object->gone = segment_gone;
	segment->object->gone_ctx = segment;
	qr_list_push_back(&spaces->shm.segments, &segment->link);
	spaces->shm.pages += segment->pages;
	spaces->shm.count++;
	return 0;
}

/* One that is there. (shm lock) */
static int
shmget_found(const struct qr_segment *segment, const struct qr_shmget *call)
{
	unsigned both = QR_IPC_CREAT | QR_IPC_EXCL;
	if ((call->flags & both) == both)
		return -QR_EEXIST;
	if (call->size_bytes > segment->is.size_bytes)
		return -QR_EINVAL;
	return segment_allows(segment, &call->asker, call->flags & 0777)
		   ? 0
		   : -QR_EACCES;
}

/* Whether one is to be made; else *error, and the segment. (shm lock) */
static bool
shmget_makes(struct qr_spaces *spaces, const struct qr_shmget *call,
    struct qr_segment **segment, int *error)
{
	*segment = NULL;
	if (call->key != QR_IPC_PRIVATE)
		*segment = segment_by_key(spaces, call->key);
	if (*segment != NULL) {
		*error = shmget_found(*segment, call);
		return false;
	}
	*error = 0;
	if (call->key != QR_IPC_PRIVATE && (call->flags & QR_IPC_CREAT) == 0)
		*error = -QR_ENOENT;
	else
		*error = segment_check_room(spaces, call->size_bytes);
	return *error == 0;
}

int
qr_call_shmget(struct qr_space *space, const struct qr_shmget *call, int *id)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_segment *made = NULL;
	struct qr_segment *segment;
	int error;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	bool makes = shmget_makes(spaces, call, &segment, &error);
	if (error == 0 && !makes)
		*id = segment->is.id;
	qr_lock_release(spaces->port, &spaces->shm.lock);
	if (!makes)
		return error;
	error = segment_make(spaces, call, &made);
	if (error != 0)
		return error;
	/* Another may have made it meanwhile. */
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	makes = shmget_makes(spaces, call, &segment, &error);
	if (makes) {
		error = segment_enter(spaces, made);
		segment = made;
	}
	if (error == 0)
		*id = segment->is.id;
	bool entered = makes && error == 0;
	qr_lock_release(spaces->port, &spaces->shm.lock);
	if (!entered) {
		qr_object_put(made->object);
		qr_slab_free(spaces->shm.segment_cache, made);
	}
	return error;
}

/* --- shmat, shmdt --- */

static int
shmat_check_address(const struct qr_shmat *call, uint64_t *address)
{
	*address = call->address;
	if (call->id < 0)
		return -QR_EINVAL;
	if (*address == 0)
		return (call->flags & QR_SHM_REMAP) != 0 ? -QR_EINVAL : 0;
	if (*address % QR_PAGE_SIZE == 0)
		return 0;
	if ((call->flags & QR_SHM_RND) == 0)
		return -QR_EINVAL;
	*address = qr_round_down(*address, QR_PAGE_SIZE);
	return *address == 0 && (call->flags & QR_SHM_REMAP) != 0 ? -QR_EINVAL
								  : 0;
}

static unsigned
shmat_prot(const struct qr_shmat *call)
{
	unsigned prot = QR_PROT_READ;
	if ((call->flags & QR_SHM_RDONLY) == 0)
		prot |= QR_PROT_WRITE;
	if ((call->flags & QR_SHM_EXEC) != 0)
		prot |= QR_PROT_EXEC;
	return prot;
}

/* The segment's object, with a reference. */
static int
shmat_find(struct qr_spaces *spaces, const struct qr_shmat *call,
    struct qr_object **object)
{
	unsigned prot = shmat_prot(call);
	unsigned wanted = 04 | ((prot & QR_PROT_WRITE) != 0 ? 02 : 0) |
			  ((prot & QR_PROT_EXEC) != 0 ? 01 : 0);
	struct qr_segment *segment;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	int error = segment_by_id(spaces, call->id, &segment);
	if (error == 0 && !segment_allows(segment, &call->asker, wanted))
		error = -QR_EACCES;
	if (error == 0 && !qr_object_try_get(segment->object))
		error = -QR_EINVAL; /* it is on its way out */
	if (error == 0)
		*object = segment->object;
	qr_lock_release(spaces->port, &spaces->shm.lock);
	return error;
}

/* When and by whom the object's segment was last attached to. (shm lock held
 * by nobody) */
static void
segment_note(struct qr_spaces *spaces, int id, const struct qr_asker *asker,
    bool attach)
{
	struct qr_segment *segment;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	if (segment_by_id(spaces, id, &segment) == 0) {
		segment->is.last_pid = asker->pid;
		if (attach)
			segment->is.attach_ns = now(spaces);
		else
			segment->is.detach_ns = now(spaces);
	}
	qr_lock_release(spaces->port, &spaces->shm.lock);
}

static int
shmat_map(struct qr_space *space, const struct qr_shmat *call,
    struct qr_object *object, uint64_t *address)
{
	struct qr_map_request request = {
		.address = *address,
		.size_bytes = qr_round_up(qr_object_size(object), QR_PAGE_SIZE),
		.prot = shmat_prot(call),
		.flags = QR_MAP_SHARED,
		.object = object,
	};
	if ((call->flags & QR_SHM_RDONLY) != 0)
		request.flags |= QR_MAP_NOWRITE;
	if (*address != 0) {
		uint64_t end = *address + request.size_bytes;
		request.flags |= QR_MAP_FIXED;
		if ((call->flags & QR_SHM_REMAP) == 0 &&
		    (end < *address || !qr_area_is_free(space, *address, end)))
			return -QR_EINVAL;
	}
	if (space->area_count >= space->limit[QR_LIMIT_AREAS] ||
	    !qr_calls_may_grow(space, request.size_bytes >> QR_PAGE_SHIFT,
		request.prot, request.flags))
		return -QR_ENOMEM;
	return qr_space_map(space, &request, address);
}

int
qr_call_shmat(struct qr_space *space, const struct qr_shmat *call,
    uint64_t *address)
{
	struct qr_object *object;
	uint64_t at;
	int error = shmat_check_address(call, &at);
	if (error == 0)
		error = shmat_find(space->spaces, call, &object);
	if (error != 0)
		return error;
	qr_space_lock(space);
	error = shmat_map(space, call, object, &at);
	qr_space_unlock(space);
	if (error == 0) {
		segment_note(space->spaces, call->id, &call->asker, true);
		*address = at;
	}
	qr_object_put(object);
	return error;
}

/* Whether the area shows a segment as if that began at address. */
static const struct qr_view *
area_segment(const struct qr_area *area, uint64_t address)
{
	if (!qr_area_is_view(area))
		return NULL;
	const struct qr_view *view = qr_area_view(area);
	if (view->object->gone == NULL ||
	    area->start - address != view->first * QR_PAGE_SIZE)
		return NULL;
	return view;
}

/* Unmaps what is left of an attachment at address: its first piece, and all
 * that belong to it. Lock held. -QR_EINVAL: there is none. */
static int
shmdt_locked(struct qr_space *space, uint64_t address, int *id)
{
	const struct qr_object *object = NULL;
	uint64_t end = space->end;
	int error = -QR_EINVAL;
	struct qr_area *area = qr_area_find(space, address);
	while (area != NULL && area->start < end) {
		const struct qr_view *view = area_segment(area, address);
		uint64_t from = area->start;
		uint64_t to = area->end;
		if (view == NULL ||
		    (object != NULL && view->object != object)) {
			area = qr_area_next(area);
			continue;
		}
		if (object == NULL) {
			const struct qr_segment *segment =
			    view->object->gone_ctx;
			object = view->object;
			*id = segment->is.id;
			end = address + segment->pages * QR_PAGE_SIZE;
		}
		error = qr_space_unmap(space, from, to - from, 0);
		if (error != 0)
			return error;
		area = qr_area_find(space, to);
	}
	return error;
}

int
qr_call_shmdt(struct qr_space *space, uint64_t address,
    const struct qr_asker *asker)
{
	int id = -1;
	if (address % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	qr_space_lock(space);
	int error = shmdt_locked(space, address, &id);
	qr_space_unlock(space);
	if (error == 0)
		segment_note(space->spaces, id, asker, false);
	return error;
}

/* --- shmctl --- */

/* What is shown; (shm lock) */
static struct qr_shm_segment
segment_show(struct qr_segment *segment)
{
	struct qr_shm_segment shown = segment->is;
	struct qr_object_stat stat;
	qr_object_stat(segment->object, &stat);
	shown.attached = stat.views;
	shown.cached_pages = stat.cached_pages;
	shown.stored_pages = stat.stored_pages;
	return shown;
}

int
qr_call_shm_stat(struct qr_space *space, int id, const struct qr_asker *asker,
    struct qr_shm_segment *shown)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_segment *segment;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	int error = segment_by_id(spaces, id, &segment);
	if (error == 0 && !segment_allows(segment, asker, 0444))
		error = -QR_EACCES;
	if (error == 0)
		*shown = segment_show(segment);
	qr_lock_release(spaces->port, &spaces->shm.lock);
	return error;
}

int
qr_call_shm_set(struct qr_space *space, int id, const struct qr_asker *asker,
    const struct qr_shm_segment *wanted)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_segment *segment;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	int error = segment_by_id(spaces, id, &segment);
	if (error == 0 && !segment_is_owned(segment, asker))
		error = -QR_EPERM;
	if (error == 0) {
		segment->is.uid = wanted->uid;
		segment->is.gid = wanted->gid;
		segment->is.mode =
		    (segment->is.mode & ~0777u) | (wanted->mode & 0777);
		segment->is.change_ns = now(spaces);
	}
	qr_lock_release(spaces->port, &spaces->shm.lock);
	return error;
}

int
qr_call_shm_remove(struct qr_space *space, int id, const struct qr_asker *asker)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_segment *segment;
	struct qr_object *object = NULL;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	int error = segment_by_id(spaces, id, &segment);
	if (error == 0 && !segment_is_owned(segment, asker))
		error = -QR_EPERM;
	if (error == 0 && !segment_is_removed(segment)) {
		segment->is.mode |= QR_SHM_DEST;
		segment->is.key = QR_IPC_PRIVATE;
		object = segment->object;
	}
	qr_lock_release(spaces->port, &spaces->shm.lock);
	/* The table's reference: it may be the last. */
	if (object != NULL)
		qr_object_put(object);
	return error;
}

void
qr_shm_for_each(struct qr_space *space,
    void (*visit)(void *ctx, const struct qr_shm_segment *segment), void *ctx)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_list *link;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	qr_list_for_each (link, &spaces->shm.segments) {
		struct qr_shm_segment shown = segment_show(segment_of(link));
		visit(ctx, &shown);
	}
	qr_lock_release(spaces->port, &spaces->shm.lock);
}

void
qr_shm_set_limits(struct qr_space *space, const struct qr_shm_limits *limits)
{
	struct qr_spaces *spaces = space->spaces;
	qr_lock_acquire(spaces->port, &spaces->shm.lock);
	spaces->shm.segment_bytes_max =
	    qr_min(limits->segment_bytes, QR_OBJECT_BYTES_MAX);
	spaces->shm.pages_max = limits->all_pages;
	spaces->shm.segments_max =
	    (unsigned)qr_min(limits->segments, ID_MASK + 1);
	qr_lock_release(spaces->port, &spaces->shm.lock);
}
