/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_sysv.c: proves that System V shared memory answers as the
 * kernel below does: random calls are made of the host and of a space on the
 * simulated machine, and errno, size, mode, attachments and contents must be
 * equal. QUIRE_SEED repeats a run. Ids and places are each side's own. An id
 * that is gone is EINVAL or EIDRM, as its number is free or taken again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cmocka.h>
#include <qr/calls.h>
#include <qr/shm.h>

#include "port/sim/sim.h"
#include "random.h"

#define PAGE   ((uint64_t)QR_PAGE_SIZE)
#define BASE   ((uint64_t)0x310000000000)
#define SLOTS  6u /* fixed places, 8 pages each */
#define KEYS   4u
#define IDS    24u
#define PLACES 16u
#define CALLS  20000u

struct place {
	char *host; /* NULL: none */
	uint64_t core;
	uint64_t size;
	bool writable;
};

struct pair {
	struct sim *sim;
	struct qr_machine *machine;
	struct qr_space *space;
	struct qr_asker asker;
	struct test_random random;
	int host_id[IDS]; /* the newest last, round and round */
	int core_id[IDS];
	uint64_t size[IDS];
	unsigned ids;
	struct place places[PLACES];
	key_t key;
	unsigned long done;
};

static uint64_t
below(struct pair *pair, uint64_t limit)
{
	return test_random_below(&pair->random, limit);
}

static int
alike(int error)
{
	return error == EIDRM ? EINVAL : error;
}

static void
compare(const struct pair *pair, const char *call, int host, int core)
{
	if (alike(host) != alike(core))
		fail_msg("call %lu, %s: the host says %d, the core %d",
		    pair->done, call, host, core);
}

static void
remove_id(struct pair *pair, unsigned id)
{
	int host_error =
	    shmctl(pair->host_id[id], IPC_RMID, NULL) != 0 ? errno : 0;
	int core_error =
	    -qr_call_shm_remove(pair->space, pair->core_id[id], &pair->asker);
	compare(pair, "IPC_RMID", host_error, core_error);
}

static void
do_get(struct pair *pair)
{
	static const int modes[] = { 0600, 0666, 0400, 0 };
	size_t size = below(pair, 6) * PAGE - (below(pair, 2) == 0 ? 0 : 100);
	int flags = modes[below(pair, 4)];
	key_t key = pair->key + (key_t)below(pair, KEYS);
	if (size > 5 * PAGE)
		size = 0;
	if (below(pair, 8) == 0)
		key = IPC_PRIVATE;
	if (below(pair, 3) != 0)
		flags |= IPC_CREAT;
	if (below(pair, 4) == 0)
		flags |= IPC_EXCL;
	int host = shmget(key, size, flags);
	int host_error = host < 0 ? errno : 0;
	const struct qr_shmget call = { .key = key,
		.size_bytes = size,
		.flags = (unsigned)flags,
		.asker = pair->asker };
	int core = -1;
	int core_error = -qr_call_shmget(pair->space, &call, &core);
	compare(pair, "shmget", host_error, core_error);
	if (host_error != 0)
		return;
	/* None is forgotten, so that none stays behind. */
	if (pair->ids >= IDS)
		remove_id(pair, pair->ids % IDS);
	pair->host_id[pair->ids % IDS] = host;
	pair->core_id[pair->ids % IDS] = core;
	pair->size[pair->ids % IDS] = size;
	pair->ids++;
}

static unsigned
pick_id(struct pair *pair)
{
	unsigned known = pair->ids < IDS ? pair->ids : IDS;
	return (unsigned)below(pair, known);
}

static void
do_attach(struct pair *pair)
{
	static const int more[] = { 0, 0, 0, SHM_RDONLY, SHM_RND, SHM_REMAP,
		SHM_EXEC };
	unsigned at = (unsigned)below(pair, PLACES);
	struct place *place = &pair->places[at];
	unsigned id = pick_id(pair);
	int flags = more[below(pair, 7)];
	uint64_t address = 0;
	if (below(pair, 2) == 0)
		address = BASE + below(pair, SLOTS) * 8 * PAGE +
			  (below(pair, 10) == 0 ? 77 : 0);
	if (place->host != NULL)
		return;
	void *host = shmat(pair->host_id[id], (void *)address, flags);
	int host_error = host == (void *)-1 ? errno : 0;
	const struct qr_shmat call = { .id = pair->core_id[id],
		.address = address,
		.flags = (unsigned)flags,
		.asker = pair->asker };
	uint64_t core = 0;
	int core_error = -qr_call_shmat(pair->space, &call, &core);
	compare(pair, "shmat", host_error, core_error);
	if (host_error != 0)
		return;
	if (address != 0)
		assert_int_equal((uint64_t)(uintptr_t)host, core);
	/* What lay there before is gone. */
	for (unsigned i = 0; i < PLACES && address != 0; i++) {
		if (pair->places[i].core == core)
			pair->places[i].host = NULL;
	}
	*place = (struct place){ host, core, pair->size[id],
		(flags & SHM_RDONLY) == 0 };
}

static void
do_detach(struct pair *pair)
{
	struct place *place = &pair->places[below(pair, PLACES)];
	uint64_t odd = below(pair, 10) == 0 ? PAGE : 0;
	if (place->host == NULL)
		return;
	/* Elsewhere another may begin there. */
	if (place->core < BASE || place->core >= BASE + SLOTS * 8 * PAGE)
		odd = 0;
	int host_error = shmdt(place->host + odd) != 0 ? errno : 0;
	int core_error =
	    -qr_call_shmdt(pair->space, place->core + odd, &pair->asker);
	compare(pair, "shmdt", host_error, core_error);
	if (host_error == 0)
		place->host = NULL;
}

static void
do_remove(struct pair *pair)
{
	remove_id(pair, pick_id(pair));
}

static void
do_set(struct pair *pair)
{
	unsigned id = pick_id(pair);
	struct shmid_ds host;
	struct qr_shm_segment core;
	int host_error =
	    shmctl(pair->host_id[id], IPC_STAT, &host) != 0 ? errno : 0;
	int core_error = -qr_call_shm_stat(pair->space, pair->core_id[id],
	    &pair->asker, &core);
	compare(pair, "IPC_STAT", host_error, core_error);
	if (host_error != 0)
		return;
	host.shm_perm.mode = 0640;
	core.mode = 0640;
	host_error = shmctl(pair->host_id[id], IPC_SET, &host) != 0 ? errno : 0;
	core_error = -qr_call_shm_set(pair->space, pair->core_id[id],
	    &pair->asker, &core);
	compare(pair, "IPC_SET", host_error, core_error);
}

static void
do_stat(struct pair *pair)
{
	unsigned id = pick_id(pair);
	struct shmid_ds host;
	struct qr_shm_segment core;
	int host_error =
	    shmctl(pair->host_id[id], IPC_STAT, &host) != 0 ? errno : 0;
	int core_error = -qr_call_shm_stat(pair->space, pair->core_id[id],
	    &pair->asker, &core);
	compare(pair, "IPC_STAT", host_error, core_error);
	if (host_error != 0)
		return;
	assert_int_equal(host.shm_segsz, core.size_bytes);
	assert_int_equal(host.shm_nattch, core.attached);
	assert_int_equal(host.shm_perm.mode & 01777, core.mode);
	assert_int_equal(host.shm_cpid, core.creator_pid);
}

static void
do_byte(struct pair *pair)
{
	struct place *place = &pair->places[below(pair, PLACES)];
	if (place->host == NULL || place->size == 0)
		return;
	uint64_t at = below(pair, place->size);
	unsigned char byte = (unsigned char)below(pair, 256);
	if (place->writable && below(pair, 2) == 0) {
		place->host[at] = (char)byte;
		assert_int_equal(sim_write(pair->sim, pair->space,
				     place->core + at, &byte, 1),
		    0);
		return;
	}
	assert_int_equal(sim_read(pair->sim, pair->space, place->core + at,
			     &byte, 1),
	    0);
	assert_int_equal((unsigned char)place->host[at], byte);
}

static void
do_step(struct pair *pair)
{
	pair->done++;
	if (pair->ids == 0 || below(pair, 8) == 0) {
		do_get(pair);
		return;
	}
	switch (below(pair, 10)) {
	case 0:
	case 1:
	case 2:
		do_attach(pair);
		break;
	case 3:
	case 4:
		do_detach(pair);
		break;
	case 5:
		do_remove(pair);
		break;
	case 6:
		do_stat(pair);
		break;
	case 7:
		do_set(pair);
		break;
	default:
		do_byte(pair);
		break;
	}
}

/* Nothing stays behind on the host, whatever happens. */
static void
pair_end(struct pair *pair)
{
	for (unsigned i = 0; i < PLACES; i++) {
		if (pair->places[i].host != NULL)
			(void)shmdt(pair->places[i].host);
	}
	for (unsigned i = 0; i < IDS && i < pair->ids; i++)
		(void)shmctl(pair->host_id[i], IPC_RMID, NULL);
	for (unsigned i = 0; i < KEYS; i++) {
		int id = shmget(pair->key + (key_t)i, 1, 0);
		if (id >= 0)
			(void)shmctl(id, IPC_RMID, NULL);
	}
}

static struct pair pair;

static int
clean_up(void **state)
{
	(void)state;
	pair_end(&pair);
	return 0;
}

static void
test_sysv(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 4 << 20 };
	(void)state;
	int probe = shmget(IPC_PRIVATE, 1, 0600);
	if (probe < 0)
		skip();
	assert_int_equal(shmctl(probe, IPC_RMID, NULL), 0);
	pair.random = test_random_start("sysv");
	/* Keys that are this process's own. */
	pair.key = (key_t)(0x51000000 + (getpid() & 0xffff) * (int)KEYS);
	pair.asker = (struct qr_asker){ .uid = geteuid(),
		.gid = getegid(),
		.pid = (uint32_t)getpid(),
		.privileged = geteuid() == 0 };
	pair.sim = sim_create(&sim_config);
	assert_non_null(pair.sim);
	assert_int_equal(qr_machine_create(sim_port(pair.sim), NULL,
			     &pair.machine),
	    0);
	assert_int_equal(qr_space_create(pair.machine, &pair.space), 0);
	while (pair.done < CALLS) {
		do_step(&pair);
		if (pair.done % 100 == 0)
			qr_check_machine(pair.machine);
	}
	qr_space_destroy(pair.space);
	qr_check_machine(pair.machine);
	qr_machine_destroy(pair.machine);
	sim_destroy(pair.sim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sysv, clean_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
