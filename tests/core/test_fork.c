/* SPDX-License-Identifier: MIT */
/*
 * test_fork.c: after a fork each side has what the parent had, and its own
 * changes alone from then on; through swap, generations of children, flags,
 * and memory that runs out on the way.
 */
#include "space_bed.h"

#define PAGES   96u
#define FAMILY  6u
#define STEPS   4000u
#define PROT_RW ((unsigned)(QR_PROT_READ | QR_PROT_WRITE))

static const struct bed_config small = { .ram_bytes = 16u << 20 };

static struct qr_space *
fork_of(struct qr_space *space)
{
	struct qr_space *child;
	assert_int_equal(qr_space_fork(space, &child), 0);
	return child;
}

static void
test_copy_on_write(void **state)
{
	(void)state;
	struct bed *bed = bed_create(&small);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 32, PROT_RW);
	for (size_t i = 0; i < 32; i++)
		bed_put(bed, parent, i, i + 1);
	assert_int_equal(bed_advise(parent, 8, 8, QR_ADVICE_PAGEOUT), 0);
	uint64_t frames = bed->spaces.user_pages;
	struct qr_space *child = fork_of(parent);
	bed_check(bed);
	assert_int_equal(bed->spaces.user_pages, frames);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(bed_get(bed, child, i), i + 1);
	bed_put(bed, child, 3, 1000);
	bed_put(bed, parent, 4, 2000);
	bed_put(bed, child, 9, 3000);
	bed_check(bed);
	assert_int_equal(bed_get(bed, parent, 3), 4);
	assert_int_equal(bed_get(bed, child, 4), 5);
	assert_int_equal(bed_get(bed, parent, 9), 10);
	assert_int_equal(bed_get(bed, child, 9), 3000);
	/* The last one that maps a page need not copy it. */
	uint64_t before = bed->spaces.user_pages;
	bed_put(bed, parent, 3, 5);
	assert_int_equal(bed->spaces.user_pages, before);
	qr_space_destroy(parent);
	bed_check(bed);
	bed_put(bed, child, 20, 1);
	assert_int_equal(bed_get(bed, child, 21), 22);
	qr_space_destroy(child);
	bed_destroy(bed);
}

static void
test_flags(void **state)
{
	(void)state;
	struct bed *bed = bed_create(&small);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 16, PROT_RW);
	for (size_t i = 0; i < 16; i++)
		bed_put(bed, parent, i, i + 1);
	assert_int_equal(bed_advise(parent, 0, 4, QR_ADVICE_DONTFORK), 0);
	assert_int_equal(bed_advise(parent, 4, 4, QR_ADVICE_WIPEONFORK), 0);
	assert_int_equal(bed_advise(parent, 8, 4, QR_ADVICE_LOCK), 0);
	struct qr_space *child = fork_of(parent);
	uint64_t word;
	bed_check(bed);
	assert_int_equal(bed_read(bed, child, 1, &word), -QR_EFAULT);
	assert_int_equal(bed_get(bed, child, 5), 0);
	assert_int_equal(bed_get(bed, child, 9), 10);
	assert_int_equal(bed_stat(child).locked_pages, 0);
	/* What one of them has locked stays in for both. */
	int error;
	(void)bed_evict(bed, 64, &error);
	assert_int_equal(bed_stat(child).resident_pages, 4);
	/* Until only the other is left. */
	qr_space_destroy(parent);
	(void)bed_evict(bed, 64, &error);
	assert_int_equal(bed_stat(child).resident_pages, 0);
	assert_int_equal(bed_get(bed, child, 9), 10);
	bed_check(bed);
	qr_space_destroy(child);
	bed_destroy(bed);
}

/* A page that one of three has locked stays, whoever else comes and goes. */
static void
test_locked_and_shared(void **state)
{
	(void)state;
	struct bed *bed = bed_create(&small);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 8, PROT_RW);
	for (size_t i = 0; i < 8; i++)
		bed_put(bed, parent, i, i + 1);
	struct qr_space *first = fork_of(parent);
	struct qr_space *second = fork_of(first);
	assert_int_equal(bed_advise(first, 0, 8, QR_ADVICE_LOCK), 0);
	bed_check(bed);
	qr_space_destroy(second);
	bed_check(bed);
	int error;
	assert_int_equal(bed_evict(bed, 64, &error), 0);
	assert_int_equal(bed_advise(parent, 0, 8, QR_ADVICE_LOCK), 0);
	assert_int_equal(bed_advise(first, 0, 8, QR_ADVICE_UNLOCK), 0);
	assert_int_equal(bed_evict(bed, 64, &error), 0);
	assert_int_equal(bed_unmap(parent, 0, 4), 0);
	bed_check(bed);
	assert_int_equal(bed_evict(bed, 64, &error), 4);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bed_get(bed, first, i), i + 1);
	bed_check(bed);
	qr_space_destroy(first);
	qr_space_destroy(parent);
	bed_destroy(bed);
}

/* A page that slept when it was shared wakes without the right to write. */
static void
test_asleep_and_shared(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_NO_YOUNG_BIT;
	struct bed *bed = bed_create(&config);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 8, PROT_RW);
	for (size_t i = 0; i < 8; i++)
		bed_put(bed, parent, i, i + 1);
	qr_lock_acquire(bed->rig.port, &bed->spaces.page_lock);
	qr_spaces_put_to_sleep(&bed->spaces, bed_page(bed, bed->oldest));
	struct qr_space *child = fork_of(parent);
	bed_check(bed);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bed_get(bed, child, i), i + 1);
	bed_check(bed);
	for (size_t i = 0; i < 8; i++)
		bed_put(bed, parent, i, 100);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bed_get(bed, child, i), i + 1);
	bed_check(bed);
	qr_space_destroy(child);
	qr_space_destroy(parent);
	bed_destroy(bed);
}

/* --- a family at random, against arrays --- */

struct member {
	struct qr_space *space; /* NULL: not born */
	uint64_t word[PAGES];
};

static void
member_check(struct bed *bed, const struct member *member)
{
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(bed_get(bed, member->space, i),
		    member->word[i]);
}

static void
family_step(struct bed *bed, struct member *family)
{
	struct member *one = &family[test_random_below(&bed->random, FAMILY)];
	struct member *other = &family[test_random_below(&bed->random, FAMILY)];
	size_t index = (size_t)test_random_below(&bed->random, PAGES);
	uint64_t word = test_random_next(&bed->random);
	int error;
	if (one->space == NULL)
		return;
	switch (test_random_below(&bed->random, 16)) {
	case 0:
		if (other->space != NULL)
			break;
		*other = *one;
		other->space = fork_of(one->space);
		break;
	case 1:
		if (other == one || other->space == NULL)
			break;
		qr_space_destroy(other->space);
		other->space = NULL;
		break;
	case 2:
	case 3:
		(void)bed_evict(bed, 32, &error);
		break;
	case 4:
		assert_int_equal(bed_advise(one->space, index, 1,
				     QR_ADVICE_DONTNEED),
		    0);
		one->word[index] = 0;
		break;
	case 5:
		assert_int_equal(bed_protect(one->space, 0, index + 1,
				     QR_PROT_READ),
		    0);
		assert_int_equal(bed_protect(one->space, 0, index + 1, PROT_RW),
		    0);
		break;
	default:
		assert_int_equal(bed_get(bed, one->space, index),
		    one->word[index]);
		bed_put(bed, one->space, index, word);
		one->word[index] = word;
		break;
	}
}

static void
family_run(const struct bed_config *config)
{
	struct bed *bed = bed_create(config);
	struct member family[FAMILY] = { 0 };
	family[0].space = bed_space(bed);
	bed_map(family[0].space, 0, PAGES, PROT_RW);
	for (unsigned i = 0; i < STEPS; i++) {
		family_step(bed, family);
		if (i % 16 == 0)
			bed_check(bed);
	}
	for (size_t i = 0; i < FAMILY; i++) {
		if (family[i].space == NULL)
			continue;
		member_check(bed, &family[i]);
		qr_space_destroy(family[i].space);
	}
	bed_destroy(bed);
}

static void
test_family(void **state)
{
	(void)state;
	family_run(&small);
}

static void
test_family_in_little_memory(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_STAGE_WINDOW;
	config.machine.user_pages_max = 64;
	family_run(&config);
}

/* --- no memory --- */

/* Every allocation, and every call of the port, fails once in a fork: there
 * is no child, and the parent has all it had. */
static bool
fork_with_failure(unsigned failures, bool of_port)
{
	struct bed *bed = bed_create(&small);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 200, PROT_RW);
	bed_map(parent, 300, 8, QR_PROT_READ);
	for (size_t i = 0; i < 200; i++)
		bed_put(bed, parent, i, i + 1);
	assert_int_equal(bed_advise(parent, 32, 64, QR_ADVICE_PAGEOUT), 0);
	alloc_failed = false;
	if (of_port) {
		sim_fail_after(bed->rig.sim, SIM_MMU_FREEZE, failures,
		    -QR_ENOMEM);
	} else {
		alloc_fail_in = failures;
	}
	struct qr_space *child = NULL;
	int error = qr_space_fork(parent, &child);
	alloc_fail_in = 0;
	sim_fail_never(bed->rig.sim);
	bed_check(bed);
	assert_int_equal(error, child == NULL ? -QR_ENOMEM : 0);
	assert_true(of_port || alloc_failed == (child == NULL));
	for (size_t i = 0; i < 200; i++) {
		bed_put(bed, parent, i, bed_get(bed, parent, i) + 1);
		assert_int_equal(bed_get(bed, parent, i), i + 2);
		if (child != NULL)
			assert_int_equal(bed_get(bed, child, i), i + 1);
	}
	bed_check(bed);
	if (child != NULL)
		qr_space_destroy(child);
	qr_space_destroy(parent);
	bed_destroy(bed);
	return child == NULL;
}

static void
test_failures(void **state)
{
	(void)state;
	for (unsigned of_port = 0; of_port < 2; of_port++) {
		unsigned failures = 1;
		while (fork_with_failure(failures, of_port != 0) &&
		       failures < 1000)
			failures++;
		assert_in_range(failures, 3, 999);
	}
}

/* A copy that finds no frame is refused, and its page stays shared. */
static void
test_copy_without_memory(void **state)
{
	(void)state;
	struct bed *bed = bed_create(&small);
	struct qr_space *parent = bed_space(bed);
	bed_map(parent, 0, 4, PROT_RW);
	bed_put(bed, parent, 0, 1);
	struct qr_space *child = fork_of(parent);
	alloc_fail_in = 1;
	assert_int_equal(bed_write(bed, child, 0, 2), -QR_ENOMEM);
	bed_check(bed);
	sim_fail_after(bed->rig.sim, SIM_MMU_MAP, 1, -QR_EAGAIN);
	bed_put(bed, child, 0, 2);
	sim_fail_after(bed->rig.sim, SIM_MMU_MAP, 1, -QR_EFAULT);
	assert_int_equal(bed_write(bed, child, 1, 2), -QR_EFAULT);
	assert_int_equal(bed_get(bed, parent, 0), 1);
	assert_int_equal(bed_get(bed, child, 0), 2);
	bed_check(bed);
	qr_space_destroy(child);
	qr_space_destroy(parent);
	bed_destroy(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_on_write),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_locked_and_shared),
		cmocka_unit_test(test_asleep_and_shared),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_family_in_little_memory),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_copy_without_memory),
	};
	return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
