/* SPDX-License-Identifier: MIT */
/* machine/objects.c: what <qr/object.h> asks of a machine as a whole. */
#include "machine_impl.h"

static struct qr_cache *
machine_cache(struct qr_machine *machine)
{
	QR_ASSERT(machine->signature == QR_MACHINE_SIGNATURE,
	    "machine %p has signature 0x%x", (void *)machine,
	    machine->signature);
	return &machine->spaces.cache;
}

int
qr_file_open(struct qr_machine *machine, void *file, uint64_t size_bytes,
    struct qr_object **object)
{
	const struct qr_object_request request = {
		.file = file,
		.size_bytes = size_bytes,
	};
	struct qr_cache *cache = machine_cache(machine);
	return file == NULL ? -QR_EINVAL
			    : qr_object_new(cache, &request, object);
}

int
qr_memory_create(struct qr_machine *machine, uint64_t size_bytes,
    unsigned flags, struct qr_object **object)
{
	const struct qr_object_request request = {
		.size_bytes = size_bytes,
		.flags = flags,
	};
	return qr_object_new(machine_cache(machine), &request, object);
}

uint64_t
qr_machine_drop_cache(struct qr_machine *machine)
{
	return qr_cache_drop(machine_cache(machine));
}

uint64_t
qr_machine_write_back(struct qr_machine *machine, uint64_t pages)
{
	return qr_cache_write_back(machine_cache(machine), pages);
}

void
qr_machine_cache_stat(struct qr_machine *machine, struct qr_cache_stat *stat)
{
	qr_cache_stat(machine_cache(machine), stat);
}
