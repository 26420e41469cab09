/* SPDX-License-Identifier: MIT */
/*
 * toykernel/toy.h: a machine made of a few arrays: RAM, a disk, and a
 * processor that walks page tables. The port in port.c is the core's whole
 * view of it.
 */
#ifndef TOY_H
#define TOY_H

#include <qr/machine.h>

#define TOY_RAM_PAGES  512u /* 2 MiB */
#define TOY_DISK_PAGES 700u
#define TOY_FILE_PAGES 16u

/* A process as the hardware sees it: where its page table is. */
struct toy_process {
	qr_pfn_t root;
	uint32_t tag;
	bool used;
};

#define TOY_PROCESSES_MAX 8u

struct toy {
	unsigned char *ram;  /* [TOY_RAM_PAGES] page aligned */
	unsigned char *disk; /* [TOY_DISK_PAGES] */
	unsigned char file[TOY_FILE_PAGES * 4096]; /* the only one there is */
	struct toy_process processes[TOY_PROCESSES_MAX];
	uint64_t ticks;     /* the clock */
	uint64_t seed;      /* of random numbers */
	bool reclaim_asked; /* the background should run */
	unsigned oom_calls;
	struct qr_oom_report oom; /* the last of them */
};

/* The table of functions to give to qr_machine_create. */
struct qr_port toy_port(struct toy *toy);

/*
 * The processor: one access of a process to a byte, by walking its page table
 * and marking the entries as hardware does. NULL: a page fault. Else where the
 * byte is.
 */
unsigned char *toy_translate(struct toy *toy, const struct toy_process *process,
    qr_vaddr_t address, unsigned access);

/* The entry of the page at level (0: the page's own), 0 where there is none. */
uint64_t toy_entry(const struct toy *toy, const struct toy_process *process,
    qr_vaddr_t address, unsigned level);

#endif
