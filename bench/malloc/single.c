/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/single.c: workloads of one thread.
 */
#include "work.h"

/* --- digits: numbers of many digits, each operation's result a block --- */

#define DIGITS_LIVE  64u
#define DIGITS_STEPS 6000000u

struct number {
	uint32_t words;
	uint32_t word[];
};

static struct number *
number_new(uint32_t words)
{
	size_t bytes = sizeof(struct number) + words * sizeof(uint32_t);
	struct number *n = work_need(malloc(bytes));
	n->words = words;
	return n;
}

/* The product's low words, at most most of them. */
static struct number *
number_multiply(const struct number *a, const struct number *b, uint32_t most)
{
	uint32_t words = a->words + b->words;
	words = words < most ? words : most;
	struct number *product = number_new(words);
	memset(product->word, 0, words * sizeof(uint32_t));
	for (uint32_t i = 0; i < a->words && i < words; i++) {
		uint64_t carry = 0;
		for (uint32_t k = 0; k < b->words && i + k < words; k++) {
			carry += (uint64_t)a->word[i] * b->word[k] +
				 product->word[i + k];
			product->word[i + k] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	return product;
}

static void
digits(void)
{
	struct number *live[DIGITS_LIVE];
	uint64_t random = 1;
	for (unsigned i = 0; i < DIGITS_LIVE; i++) {
		live[i] = number_new(1 + i % 4);
		memset(live[i]->word, 0x5a, live[i]->words * sizeof(uint32_t));
	}
	for (unsigned i = 0; i < DIGITS_STEPS; i++) {
		uint64_t pick = work_random(&random);
		struct number *square =
		    number_multiply(live[pick % DIGITS_LIVE],
			live[pick >> 8 & (DIGITS_LIVE - 1)], 2 + i % 5);
		struct number *next = number_multiply(square,
		    live[pick >> 16 & (DIGITS_LIVE - 1)], 1 + i % 7);
		free(square);
		free(live[i % DIGITS_LIVE]);
		live[i % DIGITS_LIVE] = next;
	}
	for (unsigned i = 0; i < DIGITS_LIVE; i++)
		free(live[i]);
}

/* --- sets: arrays of bit sets that are intersected, copied and dropped --- */

#define SETS_ROUNDS 5000u
#define SETS_MAX    2000u

static void
sets(void)
{
	static uint64_t *set[SETS_MAX];
	uint64_t random = 2;
	for (unsigned round = 0; round < SETS_ROUNDS; round++) {
		size_t words = 1 + work_below(&random, 40);
		size_t count = SETS_MAX / 2 + work_below(&random, SETS_MAX / 2);
		for (size_t i = 0; i < count; i++) {
			set[i] = work_need(malloc(words * sizeof(uint64_t)));
			for (size_t k = 0; k < words; k++)
				set[i][k] = i * k;
		}
		for (size_t i = 1; i < count; i++) {
			uint64_t *both = work_need(malloc(words * 8));
			for (size_t k = 0; k < words; k++)
				both[k] = set[i][k] & set[i - 1][k];
			if (both[words - 1] == 0 && i % 3 != 0) {
				free(both);
				continue;
			}
			free(set[i]);
			set[i] = both;
		}
		for (size_t i = 0; i < count; i++)
			free(set[i]);
	}
}

/* --- simple: batches of one size, freed in order and in reverse --- */

#define SIMPLE_ROUNDS 300u
#define SIMPLE_BATCH  400u

static void
simple(void)
{
	void *block[SIMPLE_BATCH];
	for (unsigned round = 0; round < SIMPLE_ROUNDS; round++) {
		for (size_t size = 16; size <= 4096; size += 16 + size / 8) {
			for (unsigned i = 0; i < SIMPLE_BATCH; i++)
				block[i] = work_alloc(size);
			if (round % 2 == 0) {
				for (unsigned i = 0; i < SIMPLE_BATCH; i++)
					free(block[i]);
			} else {
				for (unsigned i = SIMPLE_BATCH; i-- > 0;)
					free(block[i]);
			}
		}
	}
}

/* --- tree: nodes with a string each, made, searched, taken down --- */

struct node {
	struct node *child[2];
	uint64_t key;
	char *text;
};

static void
tree_add(struct node **link, uint64_t key)
{
	while (*link != NULL && (*link)->key != key)
		link = &(*link)->child[key > (*link)->key];
	if (*link != NULL) {
		free((*link)->text);
	} else {
		*link = work_need(calloc(1, sizeof(struct node)));
		(*link)->key = key;
	}
	size_t bytes = 8 + key % 120;
	(*link)->text = work_need(malloc(bytes));
	memset((*link)->text, 'x', bytes);
}

/* Takes the tree down by rotating left children up: no recursion. */
static void
tree_free(struct node *root)
{
	while (root != NULL) {
		struct node *left = root->child[0];
		if (left != NULL) {
			root->child[0] = left->child[1];
			left->child[1] = root;
			root = left;
			continue;
		}
		struct node *right = root->child[1];
		free(root->text);
		free(root);
		root = right;
	}
}

static void
tree(void)
{
	uint64_t random = 3;
	for (unsigned round = 0; round < 24; round++) {
		struct node *root = NULL;
		for (unsigned i = 0; i < 60000; i++)
			tree_add(&root, work_below(&random, 50000));
		tree_free(root);
	}
}

/* --- vectors: many arrays that grow by realloc --- */

#define VECTORS 300u

struct vector {
	uint32_t *item;
	size_t count;
	size_t room;
};

static void
vectors(void)
{
	static struct vector vector[VECTORS];
	uint64_t random = 4;
	for (unsigned i = 0; i < 40000000; i++) {
		struct vector *v = &vector[work_below(&random, VECTORS)];
		if (v->count == v->room) {
			v->room = v->room < 4 ? 4 : v->room + v->room / 2;
			v->item = work_need(realloc(v->item, v->room * 4));
		}
		v->item[v->count++] = i;
		if (v->count > 100000) {
			free(v->item);
			*v = (struct vector){ 0 };
		}
	}
	for (unsigned i = 0; i < VECTORS; i++)
		free(vector[i].item);
}

/* --- phases: each works on other sizes; a tenth of each survives --- */

#define PHASES       8u
#define PHASE_BYTES  ((size_t)60 << 20)
#define PHASE_BLOCKS 4000000u

static const struct {
	size_t least;
	size_t most;
} phase_size[PHASES] = {
	{ 24, 123 },
	{ 200, 1000 },
	{ 1000, 8000 },
	{ 16, 64 },
	{ 8000, 40000 },
	{ 400, 401 },
	{ 60, 300 },
	{ 2000, 3000 },
};

static void
phases(void)
{
	void **block = work_need(malloc(PHASE_BLOCKS * sizeof(void *)));
	void **old = work_need(malloc(PHASE_BLOCKS * sizeof(void *)));
	size_t old_count = 0;
	uint64_t random = 5;
	for (unsigned phase = 0; phase < PHASES; phase++) {
		size_t least = phase_size[phase].least;
		size_t range = phase_size[phase].most - least + 1;
		size_t count = 0;
		for (size_t sum = 0; sum < PHASE_BYTES; count++) {
			size_t size = least + work_below(&random, range);
			block[count] = work_need(malloc(size));
			memset(block[count], 1, size);
			sum += size;
		}
		/* The survivors of the phase before live until here. */
		for (size_t i = 0; i < old_count; i++)
			free(old[i]);
		old_count = 0;
		for (size_t i = 0; i < count; i++) {
			if (work_below(&random, 10) == 0)
				old[old_count++] = block[i];
			else
				free(block[i]);
		}
	}
	for (size_t i = 0; i < old_count; i++)
		free(old[i]);
	free(block);
	free(old);
}

/* --- churn: a full heap of mixed sizes, replaced at random --- */

#define CHURN_BLOCKS 120000u

static void
churn(void)
{
	void **block = work_need(calloc(CHURN_BLOCKS, sizeof(void *)));
	uint64_t random = 6;
	for (unsigned i = 0; i < 6000000; i++) {
		size_t slot = work_below(&random, CHURN_BLOCKS);
		free(block[slot]);
		block[slot] = work_alloc(work_skewed(&random, 16, 9));
	}
	for (unsigned i = 0; i < CHURN_BLOCKS; i++)
		free(block[i]);
	free(block);
}

/* --- buffers: large blocks, written through, a few live at a time --- */

#define BUFFERS 12u

static void
buffers(void)
{
	char *buffer[BUFFERS] = { NULL };
	uint64_t random = 7;
	for (unsigned i = 0; i < 40000; i++) {
		size_t slot = work_below(&random, BUFFERS);
		size_t size = 40000 + work_below(&random, 1200000);
		free(buffer[slot]);
		buffer[slot] = work_need(malloc(size));
		for (size_t at = 0; at < size; at += 1024)
			buffer[slot][at] = 1;
	}
	for (unsigned i = 0; i < BUFFERS; i++)
		free(buffer[i]);
}

/* --- zeroed: tables by calloc of all sizes, a little of each written --- */

static void
zeroed(void)
{
	char *table[64] = { NULL };
	uint64_t random = 8;
	for (unsigned i = 0; i < 6000000; i++) {
		size_t slot = work_below(&random, 64);
		size_t size = work_skewed(&random, 32, 12);
		free(table[slot]);
		table[slot] = work_need(calloc(1, size));
		table[slot][size / 2] = 1;
	}
	for (unsigned i = 0; i < 64; i++)
		free(table[i]);
}

/* --- queue: a long first-in-first-out list of small messages --- */

struct message {
	struct message *next;
	char text[];
};

static void
queue(void)
{
	struct message *first = NULL;
	struct message **last = &first;
	uint64_t random = 9;
	size_t length = 0;
	for (unsigned i = 0; i < 8000000; i++) {
		size_t size = 20 + work_below(&random, 200);
		struct message *m = work_alloc(sizeof(*m) + size);
		m->next = NULL;
		*last = m;
		last = &m->next;
		length++;
		while (length > 20000 + (i >> 7)) {
			struct message *head = first;
			first = head->next;
			free(head);
			length--;
		}
	}
	while (first != NULL) {
		struct message *head = first;
		first = head->next;
		free(head);
	}
}

const struct work work_single[] = {
	{ "digits", digits, "long numbers, results that die at once" },
	{ "sets", sets, "bit sets in batches of one size" },
	{ "simple", simple, "400 blocks of one size, freed in both orders" },
	{ "tree", tree, "a search tree with strings, made and taken down" },
	{ "vectors", vectors, "300 arrays that grow by realloc" },
	{ "phases", phases, "eight phases of other sizes, a tenth survives" },
	{ "churn", churn, "120000 blocks of mixed sizes, replaced at random" },
	{ "buffers", buffers, "large buffers, a dozen at a time" },
	{ "zeroed", zeroed, "calloc of 32 bytes to 256 KiB" },
	{ "queue", queue, "a long queue of small messages" },
	{ NULL, NULL, NULL },
};
