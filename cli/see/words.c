/* SPDX-License-Identifier: MIT */
/* words.c: the words that Quire uses for one thing each, and the columns. */
#include "words.h"

#include <string.h>
#include <strings.h>

#include "cli/table/column.h"
#include "counter_words.h"
#include "field_words.h"

static const struct {
	const char *word;
	const char *meaning;
} words[] = {
	{ "asked", "Bytes that a program requested of malloc and has not "
		   "freed." },
	{ "rounded", "Bytes asked, after each was rounded up to its size "
		     "class." },
	{ "held", "Bytes of pages that a heap owns: resident, compressed and "
		  "on disk." },
	{ "resident", "The part of a thing that is in RAM." },
	{ "waste", "held less asked: rounding, holes in live pages, caches, "
		   "and what the heap needs for itself." },
	{ "kept", "Bytes still allocated when the program ended." },
	{ "leaked", "Bytes kept that nothing points to any more." },
	{ "stored", "Bytes of pages given to a compressed pool, before they "
		    "were compressed." },
	{ "compressed", "Bytes that the stored pages take, compressed." },
	{ "first-touch", "A fault of a page that was never used: it is "
			 "filled with zeros." },
	{ "budget", "The RAM that `quire run -m` lets a program and its "
		    "children have." },
	{ "pool", "Compressed pages in RAM." },
	{ "unaccounted", "RAM that no field of the kernel tells of: drivers' "
			 "own pages, mostly." },
	{ "used", "RAM that is neither free nor given up at once when asked "
		  "for. Tools differ: free(1) says total less available, "
		  "htop leaves out buffers, cache and reclaimable slabs." },
	{ "thrash", "Time lost to waiting for pages that were in RAM a "
		    "moment ago." },
	{ "overcommit", "Promising more memory than there is; mode 0 guesses, "
			"1 always promises, 2 keeps to CommitLimit." },
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static void
explain(const struct term *term, const char *word, const char *where,
    const char *meaning)
{
	fprintf(term->stream, "%s%s%s%s: ", term_style(term, STYLE_STRONG),
	    word, term_style(term, STYLE_PLAIN), where);
	term_wrap(term, meaning, (unsigned)(strlen(word) + strlen(where)) + 2,
	    2);
}

/* The kernel's own names: fields, counters, settings. */
static bool
explain_field(const struct term *term, const char *word)
{
	const struct {
		const char *where;
		const char *meaning;
	} places[] = {
		{ " (quire meminfo)", meminfo_meaning(word) },
		{ " (quire status)", status_meaning(word) },
		{ " (quire vmstat --counters)",
		    counter_words_find(word)->meaning },
		{ " (quire settings)", setting_meaning(word) },
	};
	bool found = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i].meaning == NULL)
			continue;
		explain(term, word, places[i].where, places[i].meaning);
		found = true;
	}
	return found;
}

bool
words_explain(const struct term *term, const char *word)
{
	bool found = explain_field(term, word);

	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strcasecmp(words[i].word, word) != 0)
			continue;
		explain(term, words[i].word, "", words[i].meaning);
		found = true;
	}
	for (int id = COLUMN_NONE + 1; id < COLUMN_IDS; id++) {
		const struct column *column = &columns[id];
		if (strcasecmp(column->name, word) != 0)
			continue;
		fprintf(term->stream, "%s%s%s (%s%s%s)\n  ",
		    term_style(term, STYLE_STRONG), column->name,
		    term_style(term, STYLE_PLAIN), column_unit(column),
		    column->source[0] != '\0' ? ", from " : "", column->source);
		term_wrap(term, column->meaning, 2, 2);
		found = true;
	}
	return found;
}

void
words_offer(struct nearest *nearest)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		nearest_offer(nearest, words[i].word);
	for (int id = COLUMN_NONE + 1; id < COLUMN_IDS; id++)
		nearest_offer(nearest, columns[id].name);
}
