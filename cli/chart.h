/* SPDX-License-Identifier: MIT */
/* chart.h: samples over time, drawn with characters. */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include "term.h"
#include "tree.h"

struct chart {
	const struct samples *samples;
	uint64_t top_bytes;  /* value at the upper edge, not 0 */
	uint64_t line_bytes; /* a line across, the budget; 0: none */
	uint64_t span_ns;    /* time at the right edge, not 0 */
	unsigned height;     /* rows */
	enum style style;    /* of what is filled */
};

/* Draws it as wide as the terminal, 100 columns at most: bars of eighths, or
 * of # where only ASCII may be written. */
void chart_draw(const struct term *term, const struct chart *chart);

#endif
