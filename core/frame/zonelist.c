/* SPDX-License-Identifier: MIT */
/*
 * frame/zonelist.c: in which order zones are tried, and the names of things;
 * see frame.c, part 5.
 */
#include "frame_impl.h"

static const char *const zone_names[QR_ZONE_CLASSES] = {
	[QR_ZONE_DMA] = "DMA",
	[QR_ZONE_DMA32] = "DMA32",
	[QR_ZONE_NORMAL] = "Normal",
	[QR_ZONE_HIGHMEM] = "HighMem",
	[QR_ZONE_MOVABLE] = "Movable",
};

const char *
qr_zone_name(enum qr_zone_class zone_class)
{
	return zone_class < QR_ZONE_CLASSES ? zone_names[zone_class] : "none";
}

uint32_t
qr_node_of_cpu(const struct qr_frames *frames, unsigned cpu)
{
	const uint8_t *cpu_node = frames->port->cpu_node;
	return QR_PORT_FLAT_RAM || cpu_node == NULL ? 0 : cpu_node[cpu];
}

static unsigned
node_distance(const struct qr_port *port, uint32_t from, uint32_t to)
{
	if (port->node_distance != NULL)
		return port->node_distance[from * QR_NODES_MAX + to];
	return from == to ? QR_DISTANCE_LOCAL : QR_DISTANCE_REMOTE;
}

/* Whether an allocation for the node is better served by zone a: the nearest
 * node's first, of it the widest class, so that a node is used up before the
 * next one is begun. Of nodes as far away the one that follows in a circle, so
 * that not all fall back to node 0. */
static bool
is_better(const struct qr_port *port, uint32_t node, const struct qr_zone *a,
    const struct qr_zone *b)
{
	unsigned far_a = node_distance(port, node, a->node);
	unsigned far_b = node_distance(port, node, b->node);
	unsigned turn_a = (a->node - node) % QR_NODES_MAX;
	unsigned turn_b = (b->node - node) % QR_NODES_MAX;
	if (a->node == b->node)
		return a->class > b->class;
	return far_a != far_b ? far_a < far_b : turn_a < turn_b;
}

/* By insertion: there are twenty at most. */
static void
list_init(const struct qr_frames *frames, uint32_t node,
    enum qr_zone_class class, struct zonelist *list)
{
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		if (zone->class > class)
			continue;
		unsigned at = list->count++;
		for (; at > 0 && is_better(frames->port, node, zone,
				     &frames->zone[list->zone[at - 1]]);
		     at--)
			list->zone[at] = list->zone[at - 1];
		list->zone[at] = (uint8_t)i;
	}
}

void
qr_zonelists_init(struct qr_frames *frames)
{
	const struct qr_port *port = frames->port;
	bool has_dma = (port->flags & QR_PORT_DMA_ZONES) != 0;
	for (uint32_t node = 0; node < QR_NODES_MAX; node++) {
		for (unsigned class = 0; class < QR_ZONE_CLASSES; class ++) {
			/* Without such devices their flags mean nothing. */
			enum qr_zone_class widest = (enum qr_zone_class) class;
			if (!has_dma && widest < QR_ZONE_NORMAL)
				widest = QR_ZONE_NORMAL;
			list_init(frames, node, widest,
			    &frames->list[node][class]);
		}
	}
	qr_zonelists_near(frames);
}

/* The CPU's list of the first zone that has frames, else of the first. */
static struct qr_pcp *
list_near(struct qr_frames *frames, unsigned cpu, enum qr_zone_class class)
{
	uint32_t node = qr_node_of_cpu(frames, cpu);
	QR_ASSERT(node < QR_NODES_MAX, "CPU %u is near node %u", cpu, node);
	const struct zonelist *list = &frames->list[node][class];
	unsigned at = 0;
	while (at + 1u < list->count && frames->zone[list->zone[at]].pages == 0)
		at++;
	return &frames->zone[list->zone[at]].pcp[cpu];
}

void
qr_zonelists_near(struct qr_frames *frames)
{
	for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++) {
		/* Relaxed: see pcp_near. */
		atomic_store_explicit(&frames->near[cpu][0],
		    list_near(frames, cpu, QR_ZONE_NORMAL),
		    memory_order_relaxed);
		atomic_store_explicit(&frames->near[cpu][1],
		    list_near(frames, cpu, QR_ZONE_MOVABLE),
		    memory_order_relaxed);
	}
}

unsigned
qr_frame_zonelist(const struct qr_frames *frames, uint32_t node,
    enum qr_zone_class zone_class, uint8_t list[])
{
	QR_ASSERT(node < QR_NODES_MAX && zone_class < QR_ZONE_CLASSES,
	    "node %u, class %u", node, (unsigned)zone_class);
	const struct zonelist *from = &frames->list[node][zone_class];
	__builtin_memcpy(list, from->zone, from->count);
	return from->count;
}

/* --- flags by name --- */

struct gfp_text {
	char *text;
	size_t room; /* bytes */
	size_t used; /* of the whole, which may be more */
};

static void
gfp_append(struct gfp_text *to, const char *from)
{
	for (; *from != '\0'; from++) {
		if (to->used + 1 < to->room)
			to->text[to->used] = *from;
		to->used++;
	}
}

size_t
qr_gfp_describe(qr_gfp_t gfp, char *text, size_t size_bytes)
{
	static const struct {
		qr_gfp_t flag;
		const char *name;
	} flags[] = {
#define FLAG_ROW(name) { QR_GFP_##name, #name },
		QR_GFP_FLAGS(FLAG_ROW)
#undef FLAG_ROW
	};
	struct gfp_text to = { text, size_bytes, 0 };
	for (size_t i = 0; i < QR_COUNT_OF(flags); i++) {
		if ((gfp & flags[i].flag) == 0)
			continue;
		if (to.used != 0)
			gfp_append(&to, "|");
		gfp_append(&to, flags[i].name);
	}
	if (to.used == 0)
		gfp_append(&to, "0");
	if (size_bytes != 0)
		text[qr_min(to.used, size_bytes - 1)] = '\0';
	return to.used + 1;
}
