/* SPDX-License-Identifier: MIT */
/*
 * test_area.c: areas mapped, unmapped, moved and given other rights at random
 * are always what an array with an element a page says; holes are found
 * wherever they are; a change that lacks memory changes nothing.
 */
#include "space_bed.h"

#define PAGES 192u
#define STEPS 3000u

#define PROT_RW ((unsigned)(QR_PROT_READ | QR_PROT_WRITE))

/* What the model knows of a page. */
struct cell {
	bool mapped;
	unsigned prot;
	unsigned flags;
};

struct model {
	struct bed *bed;
	struct qr_space *space;
	struct cell cell[PAGES];
};

static const struct bed_config small = { .ram_bytes = 16u << 20 };

static struct model *
model_create(void)
{
	struct model *model = calloc(1, sizeof(*model));
	assert_non_null(model);
	model->bed = bed_create(&small);
	model->space = bed_space(model->bed);
	return model;
}

static void
model_destroy(struct model *model)
{
	qr_space_destroy(model->space);
	bed_destroy(model->bed);
	free(model);
}

static bool
cell_equal(const struct cell *a, const struct cell *b)
{
	if (!a->mapped || !b->mapped)
		return a->mapped == b->mapped;
	return a->prot == b->prot && a->flags == b->flags;
}

/* Compares an area with the cells, which must end where it ends. */
static void
model_visit(void *ctx, const struct qr_area_info *info)
{
	struct model *model = ctx;
	size_t first = (info->start - BED_BASE) >> QR_PAGE_SHIFT;
	size_t end = (info->end - BED_BASE) >> QR_PAGE_SHIFT;
	assert_true(end <= PAGES);
	for (size_t i = first; i < end; i++) {
		assert_true(model->cell[i].mapped);
		assert_int_equal(model->cell[i].prot, info->prot);
		assert_int_equal(model->cell[i].flags, info->flags);
	}
	/* Charging alone may keep alike neighbours apart, and is not shown;
	 * here all areas are of one kind or differ in rights too. */
}

static void
model_compare(struct model *model)
{
	uint64_t pages = 0;
	for (size_t i = 0; i < PAGES; i++)
		pages += model->cell[i].mapped;
	qr_space_lock(model->space);
	qr_space_for_each_area(model->space, model_visit, model);
	for (size_t i = 0; i < PAGES; i++) {
		struct qr_area_info info;
		qr_vaddr_t at = BED_BASE + i * QR_PAGE_SIZE;
		int error = qr_space_query(model->space, at, &info);
		assert_int_equal(error == 0 && info.start <= at,
		    model->cell[i].mapped);
	}
	qr_space_unlock(model->space);
	assert_int_equal(bed_stat(model->space).virtual_pages, pages);
	qr_check_spaces(&model->bed->spaces, QR_CHECK_CHILDREN);
}

/* --- steps --- */

static size_t
model_below(struct model *model, size_t limit)
{
	return (size_t)test_random_below(&model->bed->random, limit);
}

static void
step_map(struct model *model, size_t first, size_t count)
{
	static const unsigned prots[] = { QR_PROT_READ, PROT_RW, QR_PROT_NONE };
	static const unsigned flags[] = { 0, 0, QR_MAP_DONTFORK };
	struct cell cell = {
		.mapped = true,
		.prot = prots[model_below(model, 3)],
		.flags = flags[model_below(model, 3)],
	};
	assert_int_equal(bed_try_map(model->space, first, count, cell.prot,
			     cell.flags),
	    0);
	for (size_t i = first; i < first + count; i++)
		model->cell[i] = cell;
}

static void
step_unmap(struct model *model, size_t first, size_t count)
{
	assert_int_equal(bed_unmap(model->space, first, count), 0);
	for (size_t i = first; i < first + count; i++)
		model->cell[i].mapped = false;
}

static void
step_protect(struct model *model, size_t first, size_t count)
{
	unsigned prot = model_below(model, 2) == 0 ? QR_PROT_READ : PROT_RW;
	size_t i = first;
	while (i < first + count && model->cell[i].mapped)
		model->cell[i++].prot = prot;
	int expected = i == first + count ? 0 : -QR_ENOMEM;
	assert_int_equal(bed_protect(model->space, first, count, prot),
	    expected);
}

static void
step_move(struct model *model, size_t first, size_t count)
{
	size_t to = model_below(model, PAGES - count + 1);
	int expected = 0;
	for (size_t i = 0; i < count; i++) {
		if (model->cell[to + i].mapped)
			expected = -QR_EEXIST;
	}
	for (size_t i = 0; i < count; i++) {
		if (!model->cell[first + i].mapped ||
		    !cell_equal(&model->cell[first], &model->cell[first + i]))
			expected = -QR_EFAULT;
	}
	int error = bed_move(model->space, first, count, to);
	/* Cells that look alike may be two areas, charged and not. */
	if (error == -QR_EFAULT)
		return;
	assert_int_equal(error, expected);
	if (error != 0)
		return;
	for (size_t i = 0; i < count; i++) {
		model->cell[to + i] = model->cell[first + i];
		model->cell[first + i].mapped = false;
	}
}

static void
step(struct model *model)
{
	size_t count = 1 + model_below(model, 24);
	size_t first = model_below(model, PAGES - count + 1);
	switch (model_below(model, 5)) {
	case 0:
	case 1:
		step_map(model, first, count);
		break;
	case 2:
		step_unmap(model, first, count);
		break;
	case 3:
		step_protect(model, first, count);
		break;
	default:
		step_move(model, first, count);
		break;
	}
}

static void
test_random_changes(void **state)
{
	(void)state;
	struct model *model = model_create();
	for (unsigned i = 0; i < STEPS; i++) {
		step(model);
		model_compare(model);
	}
	model_destroy(model);
}

/* --- places --- */

static qr_vaddr_t
map_anywhere(struct qr_space *space, qr_vaddr_t hint, size_t pages)
{
	const struct qr_map_request request = {
		.address = hint,
		.size_bytes = pages * QR_PAGE_SIZE,
		.prot = QR_PROT_READ,
	};
	qr_vaddr_t address;
	qr_space_lock(space);
	assert_int_equal(qr_space_map(space, &request, &address), 0);
	qr_space_unlock(space);
	return address;
}

static void
test_places(void **state)
{
	(void)state;
	struct bed *bed = bed_create(&small);
	struct qr_space *space = bed_space(bed);

	qr_vaddr_t top = map_anywhere(space, 0, 4);
	assert_int_equal(map_anywhere(space, 0, 2), top - 2 * QR_PAGE_SIZE);
	assert_int_equal(map_anywhere(space, BED_BASE, 2), BED_BASE);
	/* A hint that is taken is only a hint. */
	assert_int_equal(map_anywhere(space, BED_BASE, 1),
	    top - 3 * QR_PAGE_SIZE);
	/* The highest hole that fits, among several. */
	qr_space_lock(space);
	assert_int_equal(qr_space_unmap(space, top, QR_PAGE_SIZE, 0), 0);
	qr_space_unlock(space);
	assert_int_equal(map_anywhere(space, 0, 1), top);
	assert_int_equal(bed_try_map(space, 0, 1, QR_PROT_READ,
			     QR_MAP_NOREPLACE),
	    -QR_EEXIST);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* Fills a small layout's space completely, in random pieces. */
static void
test_full_space(void **state)
{
	(void)state;
	const struct bed_config config = {
		.ram_bytes = 16u << 20,
		.machine = { .levels = 3 },
	};
	struct bed *bed = bed_create(&config);
	struct qr_space *space = bed_space(bed);
	struct qr_map_request request = {
		.size_bytes = (uint64_t)64 << 20,
		.flags = QR_MAP_FOREIGN,
	};
	qr_vaddr_t address;
	int error = 0;
	unsigned count = 0;
	qr_space_lock(space);
	while (error == 0 && count < 100000) {
		request.prot = count++ % 8; /* so that none join */
		request.size_bytes =
		    QR_PAGE_SIZE * (1 + test_random_below(&bed->random, 16384));
		error = qr_space_map(space, &request, &address);
	}
	assert_int_equal(error, -QR_ENOMEM);
	/* What is left is smaller than what was asked for. */
	request.size_bytes = QR_PAGE_SIZE;
	error = 0;
	while (error == 0 && count < 100000)
		error = qr_space_map(space, &request, &address);
	qr_space_unlock(space);
	qr_check_space(space, QR_CHECK_CHILDREN);
	qr_space_destroy(space);
	bed_destroy(bed);
}

static void
test_bad_requests(void **state)
{
	(void)state;
	static const struct {
		struct qr_map_request request;
		int error;
	} cases[] = {
		{ { .size_bytes = 0 }, -QR_EINVAL },
		{ { .size_bytes = 100 }, -QR_EINVAL },
		{ { .address = 12, .size_bytes = 4096 }, -QR_EINVAL },
		{ { .size_bytes = (uint64_t)1 << 60 }, -QR_ENOMEM },
		{ { .address = (uint64_t)1 << 60,
		      .size_bytes = 4096,
		      .flags = QR_MAP_FIXED },
		    -QR_ENOMEM },
		{ { .address = 4096,
		      .size_bytes = UINT64_MAX - 4095,
		      .flags = QR_MAP_FIXED },
		    -QR_ENOMEM },
	};
	struct bed *bed = bed_create(&small);
	struct qr_space *space = bed_space(bed);
	qr_space_lock(space);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		qr_vaddr_t address;
		assert_int_equal(qr_space_map(space, &cases[i].request,
				     &address),
		    cases[i].error);
	}
	assert_int_equal(qr_space_unmap(space, 1, 4096, 0), -QR_EINVAL);
	assert_int_equal(qr_space_unmap(space, 0, 0, 0), -QR_EINVAL);
	qr_space_unlock(space);
	assert_int_equal(bed_stat(space).areas, 0);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* --- promises --- */

static void
test_commit(void **state)
{
	(void)state;
	const struct bed_config config = {
		.ram_bytes = 16u << 20,
		.machine = { .overcommit = QR_OVERCOMMIT_NEVER,
		    .commit_pages_max = 100 },
	};
	struct bed *bed = bed_create(&config);
	struct qr_space *space = bed_space(bed);
	bed_map(space, 0, 60, PROT_RW);
	assert_int_equal(bed_try_map(space, 64, 41, PROT_RW, 0), -QR_ENOMEM);
	/* What can't be written is not charged until it can. */
	bed_map(space, 64, 50, QR_PROT_READ);
	assert_int_equal(bed_protect(space, 64, 50, PROT_RW), -QR_ENOMEM);
	assert_int_equal(bed_protect(space, 64, 40, PROT_RW), 0);
	assert_int_equal(bed->spaces.commit_pages, 100);
	/* And stays charged afterwards. */
	assert_int_equal(bed_protect(space, 64, 40, QR_PROT_READ), 0);
	assert_int_equal(bed->spaces.commit_pages, 100);
	assert_int_equal(bed_unmap(space, 64, 40), 0);
	assert_int_equal(bed->spaces.commit_pages, 60);
	struct qr_space *child;
	assert_int_equal(qr_space_fork(space, &child), -QR_ENOMEM);
	bed_check(bed);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* --- no memory --- */

/* One change of each kind; the same error must leave the same areas. */
static int
change_by_number(struct qr_space *space, unsigned number)
{
	switch (number) {
	case 0:
		return bed_try_map(space, 40, 8, QR_PROT_READ, 0);
	case 1:
		return bed_unmap(space, 10, 4);
	case 2:
		return bed_protect(space, 10, 4, QR_PROT_READ);
	case 3:
		return bed_move(space, 10, 4, 1u << 18);
	case 4:
		return bed_advise(space, 10, 4, QR_ADVICE_LOCK);
	default:
		return bed_advise(space, 10, 4, QR_ADVICE_DONTFORK);
	}
}

static void
test_no_memory(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 6; number++) {
		struct bed *bed = bed_create(&small);
		struct qr_space *space = bed_space(bed);
		bed_map(space, 0, 32, PROT_RW);
		for (size_t i = 0; i < 32; i++)
			bed_put(bed, space, i, i + 1);
		unsigned failures = 0;
		do {
			struct qr_space_stat before = bed_stat(space);
			alloc_failed = false;
			alloc_fail_in = ++failures;
			int error = change_by_number(space, number);
			alloc_fail_in = 0;
			bed_check(bed);
			if (!alloc_failed) {
				assert_int_equal(error, 0);
				break;
			}
			struct qr_space_stat after = bed_stat(space);
			assert_int_equal(error, -QR_ENOMEM);
			assert_memory_equal(&before, &after, sizeof(before));
		} while (failures < 100);
		assert_in_range(failures, 2, 99);
		qr_space_destroy(space);
		bed_destroy(bed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_full_space),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests_name("area", tests, NULL, NULL);
}
