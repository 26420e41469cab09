/* SPDX-License-Identifier: MIT */
/*
 * test_view.c: proves that files and shared memory look the same from every
 * space that maps them, whatever else is done: beside a plain model of objects,
 * areas and private copies, random mappings, writes, forks, evictions, cuts,
 * holes and syncs, with allocations and transfers that fail; and, one by one,
 * what a write-back, an eviction and a cut do to the entries of a mapping.
 */
#include "space_bed.h"

#define PAGE ((uint64_t)QR_PAGE_SIZE)
#define RW   (QR_PROT_READ | QR_PROT_WRITE)

/* --- one by one --- */

static struct bed *
view_bed(uint64_t ram_bytes)
{
	const struct bed_config config = { .ram_bytes = ram_bytes,
		.swap_pages = 400,
		.cpus = 2 };
	return bed_create(&config);
}

static struct qr_object *
make_file(struct bed *bed, uint64_t pages, struct sim_file **file)
{
	struct qr_object *object;
	*file = sim_file_create(bed->rig.sim, pages * PAGE);
	for (uint64_t i = 0; i < pages * PAGE; i++)
		sim_file_bytes(*file)[i] = (unsigned char)(i / PAGE + 1);
	const struct qr_object_request request = { .file = *file,
		.size_bytes = pages * PAGE };
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    0);
	return object;
}

static struct qr_object *
make_memory(struct bed *bed, uint64_t pages)
{
	struct qr_object *object;
	const struct qr_object_request request = { .size_bytes = pages * PAGE };
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    0);
	return object;
}

struct view_map {
	size_t index; /* page of the space, from BED_BASE on */
	size_t pages;
	uint64_t first; /* page of the object */
	unsigned prot;
	unsigned flags;
};

static int
try_map_object(struct qr_space *space, struct qr_object *object,
    const struct view_map *map)
{
	const struct qr_map_request request = {
		.address = BED_BASE + map->index * PAGE,
		.size_bytes = map->pages * PAGE,
		.prot = map->prot,
		.flags = map->flags | QR_MAP_FIXED,
		.object = object,
		.object_page = map->first,
	};
	qr_vaddr_t address;
	qr_space_lock(space);
	int error = qr_space_map(space, &request, &address);
	qr_space_unlock(space);
	return error;
}

static void
map_object(struct qr_space *space, struct qr_object *object, size_t pages,
    unsigned flags)
{
	const struct view_map map = { .pages = pages,
		.prot = RW,
		.flags = flags };
	assert_int_equal(try_map_object(space, object, &map), 0);
}

static int
peek(struct bed *bed, struct qr_space *space, size_t page, unsigned char *byte)
{
	return sim_read(bed->rig.sim, space, BED_BASE + page * PAGE + 5, byte,
	    1);
}

static unsigned char
get(struct bed *bed, struct qr_space *space, size_t page)
{
	unsigned char byte;
	assert_int_equal(peek(bed, space, page, &byte), 0);
	return byte;
}

static void
put(struct bed *bed, struct qr_space *space, size_t page, unsigned char byte)
{
	assert_int_equal(sim_write(bed->rig.sim, space,
			     BED_BASE + page * PAGE + 5, &byte, 1),
	    0);
}

/* What one writes all see, the file at once after a sync, and not before. */
static void
test_shared_file(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 20, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	unsigned char byte;
	(void)state;
	map_object(a, object, 20, QR_MAP_SHARED);
	map_object(b, object, 20, QR_MAP_SHARED);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(get(bed, a, i), i + 1);
	put(bed, a, 3, 100);
	assert_int_equal(get(bed, b, 3), 100);
	assert_int_equal(sim_file_bytes(file)[3 * PAGE + 5], 4);
	bed_check(bed);
	struct qr_object_copy copy = { 3 * PAGE + 5, 1 };
	assert_int_equal(qr_object_read(object, &byte, &copy), 0);
	assert_int_equal(byte, 100);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, NULL), 0);
	assert_int_equal(sim_file_bytes(file)[3 * PAGE + 5], 100);
	bed_check(bed);
	/* The next write is seen to be one. */
	put(bed, b, 3, 101);
	struct qr_object_stat stat;
	qr_object_stat(object, &stat);
	assert_int_equal(stat.dirty_pages, 1);
	assert_int_equal(stat.views, 2);
	assert_int_equal(stat.references, 3);
	byte = 102;
	copy = (struct qr_object_copy){ 3 * PAGE + 5, 1 };
	assert_int_equal(qr_object_write(object, &byte, &copy), 0);
	assert_int_equal(get(bed, a, 3), 102);
	/* Mappings keep the object; the last one writes it back. */
	qr_object_put(object);
	qr_space_destroy(a);
	qr_space_destroy(b);
	assert_int_equal(sim_file_bytes(file)[3 * PAGE + 5], 102);
	bed_check(bed);
	bed_destroy(bed);
}

/* A private mapping sees the file until it writes; nobody sees what it wrote. */
static void
test_private_file(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 8, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	struct qr_space *child;
	(void)state;
	map_object(a, object, 8, 0);
	map_object(b, object, 8, QR_MAP_SHARED);
	put(bed, a, 0, 50); /* never read before */
	assert_int_equal(get(bed, a, 1), 2);
	put(bed, a, 1, 51); /* read before */
	put(bed, b, 2, 52);
	assert_int_equal(get(bed, a, 2), 52);
	assert_int_equal(get(bed, b, 0), 1);
	assert_int_equal(get(bed, b, 1), 2);
	bed_check(bed);
	assert_int_equal(qr_space_fork(a, &child), 0);
	put(bed, child, 1, 60);
	put(bed, child, 4, 61);
	assert_int_equal(get(bed, a, 1), 51);
	assert_int_equal(get(bed, a, 4), 5);
	assert_int_equal(get(bed, child, 0), 50);
	bed_check(bed);
	int error;
	while (bed_evict(bed, 64, &error) > 0)
		bed_check(bed);
	assert_int_equal(get(bed, a, 0), 50);
	assert_int_equal(get(bed, child, 4), 61);
	assert_int_equal(get(bed, a, 4), 5);
	/* What is given up shows the file again. */
	assert_int_equal(bed_advise(a, 0, 8, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(get(bed, a, 0), 1);
	assert_int_equal(get(bed, a, 2), 52);
	qr_space_destroy(child);
	qr_space_destroy(a);
	qr_space_destroy(b);
	qr_object_put(object);
	bed_check(bed);
	bed_destroy(bed);
}

/* Shared memory outlives eviction, and is shared with a fork. */
static void
test_shared_memory(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct qr_object *object = make_memory(bed, 30);
	struct qr_space *a = bed_space(bed);
	struct qr_space *child;
	struct qr_object_stat stat;
	int error;
	(void)state;
	map_object(a, object, 30, QR_MAP_SHARED);
	for (size_t i = 0; i < 20; i++)
		put(bed, a, i, (unsigned char)(i + 1));
	assert_int_equal(get(bed, a, 25), 0);
	assert_int_equal(qr_space_fork(a, &child), 0);
	put(bed, child, 0, 77);
	assert_int_equal(get(bed, a, 0), 77);
	bed_check(bed);
	while (bed_evict(bed, 64, &error) > 0)
		bed_check(bed);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.cached_pages, 0);
	assert_int_equal(stat.stored_pages, 20);
	assert_int_equal(get(bed, a, 0), 77);
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(get(bed, child, i), i + 1);
	assert_int_equal(get(bed, child, 25), 0);
	bed_check(bed);
	qr_space_destroy(a);
	assert_int_equal(get(bed, child, 19), 20);
	qr_space_destroy(child);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.views, 0);
	qr_object_put(object);
	bed_check(bed);
	bed_destroy(bed);
}

static void
test_truncate(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 10, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	unsigned char byte;
	(void)state;
	map_object(a, object, 12, QR_MAP_SHARED);
	map_object(b, object, 12, 0);
	assert_int_equal(peek(bed, a, 10, &byte), -QR_ENXIO);
	assert_int_equal(peek(bed, b, 11, &byte), -QR_ENXIO);
	for (size_t i = 0; i < 10; i++) {
		put(bed, b, i, 90);
		put(bed, a, i, 91);
	}
	assert_int_equal(bed_stat(b).resident_pages, 10);
	assert_int_equal(qr_object_resize(object, 4 * PAGE + 100), 0);
	bed_check(bed);
	assert_int_equal(get(bed, a, 4), 91);
	assert_int_equal(get(bed, b, 4), 90);
	assert_int_equal(bed_stat(b).resident_pages, 5);
	assert_int_equal(peek(bed, a, 5, &byte), -QR_ENXIO);
	assert_int_equal(peek(bed, b, 5, &byte), -QR_ENXIO);
	/* What was beyond the end is zero when it comes back. */
	memset(sim_file_bytes(file) + 4 * PAGE + 100, 0, 6 * PAGE - 100);
	assert_int_equal(qr_object_resize(object, 10 * PAGE), 0);
	assert_int_equal(get(bed, a, 5), 0);
	assert_int_equal(sim_read(bed->rig.sim, a, BED_BASE + 4 * PAGE + 200,
			     &byte, 1),
	    0);
	assert_int_equal(byte, 0);
	bed_check(bed);
	qr_space_destroy(a);
	qr_space_destroy(b);
	qr_object_put(object);
	bed_destroy(bed);
}

/* A hole takes shared pages from everybody, private copies from nobody. */
static void
test_punch(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct qr_object *object = make_memory(bed, 10);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	struct qr_object_stat stat;
	(void)state;
	map_object(a, object, 10, QR_MAP_SHARED);
	map_object(b, object, 10, 0);
	for (size_t i = 0; i < 10; i++)
		put(bed, a, i, 40);
	put(bed, b, 4, 41);
	assert_int_equal(qr_object_punch(object, 3 * PAGE, 4 * PAGE), 0);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.cached_pages, 6);
	assert_int_equal(get(bed, a, 2), 40);
	assert_int_equal(get(bed, a, 4), 0);
	assert_int_equal(get(bed, b, 5), 0);
	assert_int_equal(get(bed, b, 4), 41);
	bed_check(bed);
	qr_space_destroy(a);
	qr_space_destroy(b);
	qr_object_put(object);
	bed_destroy(bed);
}

/* A pin keeps a page in and writable; a write-back leaves it dirty. */
static void
test_pin(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 4, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_pin pin = { 0 };
	struct qr_object_stat stat;
	int error;
	(void)state;
	map_object(a, object, 4, QR_MAP_SHARED);
	qr_space_pin_register(a, &pin);
	assert_int_equal(qr_space_pin(a, &pin, BED_BASE, PAGE, QR_ACCESS_WRITE),
	    0);
	put(bed, a, 1, 9);
	assert_int_equal(bed_evict(bed, 10, &error), 3);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, NULL), 0);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.dirty_pages, 1);
	assert_int_equal(sim_try(bed->rig.sim, qr_space_mm(a), BED_BASE,
			     QR_ACCESS_WRITE, NULL),
	    0);
	qr_space_unpin(&pin);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, NULL), 0);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.dirty_pages, 0);
	assert_int_equal(sim_try(bed->rig.sim, qr_space_mm(a), BED_BASE,
			     QR_ACCESS_WRITE, NULL),
	    -QR_EFAULT);
	qr_space_pin_unregister(a, &pin);
	qr_space_destroy(a);
	qr_object_put(object);
	bed_destroy(bed);
}

/* A locked mapping keeps the page in for all. */
static void
test_locked(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 4, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	int error;
	(void)state;
	map_object(a, object, 4, QR_MAP_SHARED | QR_MAP_LOCKED);
	map_object(b, object, 4, QR_MAP_SHARED);
	for (size_t i = 0; i < 4; i++) {
		(void)get(bed, a, i);
		(void)get(bed, b, i);
	}
	assert_int_equal(bed->listed, 0);
	assert_int_equal(bed_evict(bed, 10, &error), 0);
	assert_int_equal(bed_protect(a, 0, 2, QR_PROT_NONE), 0);
	bed_check(bed);
	assert_int_equal(bed_unmap(a, 0, 1), 0);
	bed_check(bed);
	assert_int_equal(bed_advise(a, 2, 1, QR_ADVICE_UNLOCK), 0);
	bed_check(bed);
	assert_int_equal(bed->listed, 2);
	assert_int_equal(bed_evict(bed, 10, &error), 2);
	qr_space_destroy(a);
	assert_int_equal(bed->listed, 2);
	bed_check(bed);
	qr_space_destroy(b);
	qr_object_put(object);
	bed_destroy(bed);
}

/* One fault maps what is cached behind it. */
static void
test_around(void **state)
{
	struct bed *bed = view_bed(4 << 20);
	struct sim_file *file;
	struct qr_object *object = make_file(bed, 40, &file);
	struct qr_space *a = bed_space(bed);
	struct qr_space *b = bed_space(bed);
	(void)state;
	map_object(a, object, 40, QR_MAP_SHARED);
	map_object(b, object, 40, 0);
	for (size_t i = 0; i < 40; i++)
		(void)get(bed, a, i);
	struct sim_stat before;
	struct sim_stat after;
	sim_stat(bed->rig.sim, &before);
	for (size_t i = 0; i < 40; i++)
		(void)get(bed, b, i);
	sim_stat(bed->rig.sim, &after);
	assert_int_equal(after.faults - before.faults, 3);
	qr_space_destroy(a);
	qr_space_destroy(b);
	qr_object_put(object);
	bed_destroy(bed);
}

/* A page that so many spaces map costs as many steps to take away, and each
 * of them no more to map or to unmap than one of few. */
static void
test_many(void **state)
{
	enum { SPACES = 300 };
	static struct qr_space *spaces[SPACES];
	struct bed *bed = view_bed(16 << 20);
	struct qr_object *object = make_memory(bed, 2);
	int error;
	(void)state;
	for (size_t i = 0; i < SPACES; i++) {
		spaces[i] = bed_space(bed);
		map_object(spaces[i], object, 2, QR_MAP_SHARED);
		put(bed, spaces[i], i % 2, (unsigned char)i);
	}
	bed_check(bed);
	assert_int_equal(bed_evict(bed, 2, &error), 2);
	for (size_t i = 0; i < SPACES; i++)
		assert_int_equal(bed_stat(spaces[i]).resident_pages, 0);
	assert_int_equal(get(bed, spaces[7], 1), (unsigned char)(SPACES - 1));
	for (size_t i = 0; i < SPACES; i++)
		qr_space_destroy(spaces[i]);
	qr_object_put(object);
	bed_destroy(bed);
}

/* --- beside a model --- */

#define OBJECTS 3u
#define LENGTH  24u /* pages of an object at most */
#define WINDOW  40u /* pages of a space */
#define SPACES  3u

/* What a page of a space is. */
struct cell {
	int object; /* -1: private memory; -2: no area */
	uint64_t number;
	bool shared;
	bool own; /* a private copy is there */
	unsigned char byte;
	unsigned prot;
};

struct model {
	struct bed *bed;
	struct qr_object *object[OBJECTS];
	struct sim_file *file[OBJECTS]; /* NULL: memory */
	unsigned char byte[OBJECTS][LENGTH];
	uint64_t pages[OBJECTS];
	struct qr_space *space[SPACES];
	struct cell cell[SPACES][WINDOW];
	bool failing;
};

static size_t
pick(struct model *model, uint64_t limit)
{
	return (size_t)test_random_below(&model->bed->random, limit);
}

static bool
model_fails(const struct model *model, int error)
{
	if (error == 0)
		return false;
	assert_true(model->failing);
	assert_true(error == -QR_ENOMEM || error == -QR_EIO);
	return true;
}

static void
model_map(struct model *model, size_t s)
{
	size_t index = pick(model, WINDOW);
	size_t pages = 1 + pick(model, 10);
	int object = (int)pick(model, OBJECTS + 1) - 1;
	bool shared = object >= 0 && pick(model, 2) == 0;
	pages = qr_min(pages, WINDOW - index);
	const struct view_map map = { .index = index,
		.pages = pages,
		.first = object >= 0 ? pick(model, LENGTH) : 0,
		.prot = pick(model, 4) == 0 ? QR_PROT_READ : RW,
		.flags = shared ? QR_MAP_SHARED : 0 };
	if (model_fails(model,
		try_map_object(model->space[s],
		    object >= 0 ? model->object[object] : NULL, &map)))
		return;
	for (size_t i = 0; i < pages; i++)
		model->cell[s][index + i] = (struct cell){ .object = object,
			.number = map.first + i,
			.shared = shared,
			.prot = map.prot };
}

static void
model_unmap(struct model *model, size_t s)
{
	size_t index = pick(model, WINDOW);
	size_t pages = 1 + pick(model, qr_min(6, WINDOW - index));
	if (model_fails(model, bed_unmap(model->space[s], index, pages)))
		return;
	for (size_t i = index; i < index + pages; i++)
		model->cell[s][i] = (struct cell){ .object = -2 };
}

/* What a read finds; false: it is refused. */
static bool
model_look(const struct model *model, const struct cell *cell,
    unsigned char *byte, int *error)
{
	*error = -QR_EFAULT;
	if (cell->object == -2 || cell->prot == QR_PROT_NONE)
		return false;
	*byte = cell->byte;
	if (cell->object == -1 || cell->own)
		return true;
	*error = -QR_ENXIO;
	if (cell->number >= model->pages[cell->object])
		return false;
	*byte = model->byte[cell->object][cell->number];
	return true;
}

static void
model_read(struct model *model, size_t s, size_t index)
{
	unsigned char want = 0;
	unsigned char byte = 0;
	int expect;
	bool allowed =
	    model_look(model, &model->cell[s][index], &want, &expect);
	int error = peek(model->bed, model->space[s], index, &byte);
	if (model->failing && (error == -QR_ENOMEM || error == -QR_EIO))
		return;
	assert_int_equal(error, allowed ? 0 : expect);
	if (allowed)
		assert_int_equal(byte, want);
}

static void
model_write(struct model *model, size_t s)
{
	size_t index = pick(model, WINDOW);
	struct cell *cell = &model->cell[s][index];
	unsigned char byte = (unsigned char)pick(model, 256);
	unsigned char before;
	int expect;
	bool allowed = model_look(model, cell, &before, &expect);
	if (cell->object != -2 && (cell->prot & QR_PROT_WRITE) == 0) {
		allowed = false;
		expect = -QR_EFAULT;
	}
	int error = sim_write(model->bed->rig.sim, model->space[s],
	    BED_BASE + index * PAGE + 5, &byte, 1);
	if (model->failing && (error == -QR_ENOMEM || error == -QR_EIO))
		return;
	assert_int_equal(error, allowed ? 0 : expect);
	if (!allowed)
		return;
	if (cell->shared) {
		model->byte[cell->object][cell->number] = byte;
		return;
	}
	cell->own = true;
	cell->byte = byte;
}

static void
model_protect(struct model *model, size_t s)
{
	static const unsigned prots[] = { RW, RW, QR_PROT_READ, QR_PROT_NONE };
	size_t index = pick(model, WINDOW);
	size_t pages = 1 + pick(model, qr_min(8, WINDOW - index));
	unsigned prot = prots[pick(model, 4)];
	for (size_t i = index; i < index + pages; i++) {
		if (model->cell[s][i].object == -2)
			return;
	}
	if (model_fails(model,
		bed_protect(model->space[s], index, pages, prot)))
		return;
	for (size_t i = index; i < index + pages; i++)
		model->cell[s][i].prot = prot;
}

/* A row of cells of one area goes elsewhere. */
static void
model_move(struct model *model, size_t s)
{
	size_t from = pick(model, WINDOW);
	size_t pages = 1 + pick(model, qr_min(5, WINDOW - from));
	size_t to = pick(model, WINDOW);
	if (to + pages > WINDOW || from + pages > WINDOW)
		return;
	for (size_t i = 0; i < pages; i++) {
		if (model->cell[s][to + i].object != -2)
			return;
	}
	int error = bed_move(model->space[s], from, pages, to);
	if (error == -QR_EFAULT || error == -QR_EEXIST)
		return;
	if (model_fails(model, error))
		return;
	for (size_t i = 0; i < pages; i++) {
		model->cell[s][to + i] = model->cell[s][from + i];
		model->cell[s][from + i] = (struct cell){ .object = -2 };
	}
}

static void
model_fork(struct model *model, size_t s)
{
	size_t other = (s + 1) % SPACES;
	struct qr_space *child;
	if (model_fails(model, qr_space_fork(model->space[s], &child)))
		return;
	qr_space_destroy(model->space[other]);
	model->space[other] = child;
	memcpy(model->cell[other], model->cell[s], sizeof(model->cell[s]));
}

static void
model_resize(struct model *model, size_t o)
{
	uint64_t pages = pick(model, LENGTH + 1);
	if (model_fails(model,
		qr_object_resize(model->object[o], pages * PAGE)))
		return;
	for (uint64_t i = pages; i < model->pages[o]; i++)
		model->byte[o][i] = 0;
	for (size_t s = 0; s < SPACES && pages < model->pages[o]; s++) {
		for (size_t i = 0; i < WINDOW; i++) {
			struct cell *cell = &model->cell[s][i];
			if (cell->object == (int)o && cell->number >= pages)
				cell->own = false;
		}
	}
	model->pages[o] = pages;
	if (model->file[o] != NULL)
		memset(sim_file_bytes(model->file[o]) + pages * PAGE, 0,
		    (LENGTH - pages) * PAGE);
}

static void
model_punch(struct model *model, size_t o)
{
	uint64_t first = pick(model, LENGTH);
	uint64_t pages = 1 + pick(model, 6);
	if (model->file[o] != NULL)
		return;
	assert_int_equal(qr_object_punch(model->object[o], first * PAGE,
			     pages * PAGE),
	    0);
	for (uint64_t i = first; i < first + pages && i < model->pages[o]; i++)
		model->byte[o][i] = 0;
}

static void
model_call(struct model *model, size_t o)
{
	uint64_t number = pick(model, LENGTH);
	unsigned char byte = (unsigned char)pick(model, 256);
	struct qr_object_copy copy = { number * PAGE + 5, 1 };
	if (number >= model->pages[o])
		return;
	if (pick(model, 2) == 0) {
		if (model_fails(model,
			qr_object_write(model->object[o], &byte, &copy)))
			return;
		model->byte[o][number] = byte;
		return;
	}
	if (model_fails(model, qr_object_read(model->object[o], &byte, &copy)))
		return;
	assert_int_equal(byte, model->byte[o][number]);
}

static void
model_sync(struct model *model, size_t o)
{
	if (model_fails(model,
		qr_object_sync(model->object[o], 0, UINT64_MAX, NULL)) ||
	    model->file[o] == NULL)
		return;
	for (uint64_t i = 0; i < model->pages[o]; i++)
		assert_int_equal(sim_file_bytes(model->file[o])[i * PAGE + 5],
		    model->byte[o][i]);
}

static void
model_step(struct model *model)
{
	size_t s = pick(model, SPACES);
	size_t o = pick(model, OBJECTS);
	int error;
	sim_set_cpu((unsigned)pick(model, 2));
	switch (pick(model, 24)) {
	case 0:
	case 1:
	case 2:
		model_map(model, s);
		break;
	case 3:
		model_unmap(model, s);
		break;
	case 4:
		model_protect(model, s);
		break;
	case 5:
		model_move(model, s);
		break;
	case 6:
		model_fork(model, s);
		break;
	case 7:
		model_resize(model, o);
		break;
	case 8:
		model_punch(model, o);
		break;
	case 9:
	case 10:
		model_call(model, o);
		break;
	case 11:
		model_sync(model, o);
		break;
	case 12:
	case 13:
		(void)bed_evict(model->bed, 1 + pick(model, 60), &error);
		break;
	case 14:
		(void)qr_cache_drop(&model->bed->spaces.cache);
		break;
	case 15:
	case 16:
	case 17:
	case 18:
	case 19:
		model_write(model, s);
		break;
	default:
		model_read(model, s, pick(model, WINDOW));
		break;
	}
}

static void
model_start(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->bed = view_bed(2 << 20);
	for (size_t o = 0; o < OBJECTS; o++) {
		if (o == 0) {
			model->object[o] =
			    make_file(model->bed, LENGTH, &model->file[o]);
		} else {
			model->object[o] = make_memory(model->bed, LENGTH);
		}
		model->pages[o] = LENGTH;
		for (size_t i = 0; o == 0 && i < LENGTH; i++)
			model->byte[o][i] = (unsigned char)(i + 1);
	}
	for (size_t s = 0; s < SPACES; s++) {
		model->space[s] = bed_space(model->bed);
		for (size_t i = 0; i < WINDOW; i++)
			model->cell[s][i].object = -2;
	}
}

static void
model_verify(struct model *model)
{
	bed_check(model->bed);
	for (size_t s = 0; s < SPACES; s++) {
		for (size_t i = 0; i < WINDOW; i++)
			model_read(model, s, i);
	}
}

static void
model_end(struct model *model)
{
	model_verify(model);
	for (size_t s = 0; s < SPACES; s++)
		qr_space_destroy(model->space[s]);
	for (size_t o = 0; o < OBJECTS; o++)
		qr_object_put(model->object[o]);
	bed_check(model->bed);
	bed_destroy(model->bed);
}

static void
test_beside_model(void **state)
{
	static struct model model;
	(void)state;
	model_start(&model);
	for (unsigned turn = 0; turn < 30000; turn++) {
		model_step(&model);
		if (turn % 100 == 0)
			model_verify(&model);
		else if (turn % 10 == 0)
			bed_check(model.bed);
	}
	model_end(&model);
}

/* The n-th allocation or port call fails in each step. */
static void
test_beside_model_failing(void **state)
{
	static const enum sim_call calls[] = { SIM_FILE_READ, SIM_FILE_WRITE,
		SIM_MMU_MAP, SIM_MMU_FREEZE, SIM_SWAP_READ, SIM_SWAP_WRITE };
	static struct model model;
	(void)state;
	model_start(&model);
	for (unsigned turn = 0; turn < 30000; turn++) {
		size_t n = pick(&model, 6);
		model.failing = true;
		if (pick(&model, 2) == 0)
			alloc_fail_in = 1 + (long)pick(&model, 8);
		else
			sim_fail_after(model.bed->rig.sim, calls[n],
			    1 + pick(&model, 4),
			    calls[n] == SIM_MMU_MAP ? -QR_ENOMEM : -QR_EIO);
		model_step(&model);
		alloc_fail_in = 0;
		sim_fail_never(model.bed->rig.sim);
		model.failing = false;
		if (turn % 100 == 0)
			model_verify(&model);
		else if (turn % 10 == 0)
			bed_check(model.bed);
	}
	model_end(&model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_private_file),
		cmocka_unit_test(test_shared_memory),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_punch),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_around),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_beside_model),
		cmocka_unit_test(test_beside_model_failing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
