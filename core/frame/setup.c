/* SPDX-License-Identifier: MIT */
/*
 * frame/setup.c: making the frame layer out of what boot has left.
 *
 * All tables are one piece of boot memory, so that there is one refusal and
 * nothing to undo:
 *
 *	| qr_frames | zones | lists of zone 0, 1, … | per zone: free, balloon |
 *	| slots of sections | descriptors                                     |
 */
#include "frame_impl.h"

#define TABLE_ALIGN 64u /* bytes; of each part: a cache line */

/* An allocation that could have had a wider class leaves one frame of a
 * narrower zone for so many of the wider ones. */
#define RESERVE_DIVISOR 256u

/* The largest block is aligned to its size. */
#define BLOCK_MAX ((uint64_t)1 << (QR_FRAME_ORDERS - 1))

/* What a zone will be. */
struct plan_zone {
	qr_pfn_t start; /* 0 pages: unused */
	qr_pfn_t end;
	uint64_t first; /* index of start, and one past the last frame's */
	uint64_t past;
	uint64_t pages;
	uint32_t node;
	enum zone_class class;
};

struct plan {
	struct plan_zone zone[ZONES_MAX];
	unsigned zone_count;
	bool has_classes; /* else all is ZONE_NORMAL */
	struct sparse_plan sparse;
	size_t bytes; /* of all tables */
};

/* First frame past the class. */
static qr_pfn_t class_end(enum zone_class class)
{
	static const qr_pfn_t end[ZONE_CLASSES] = {
		[ZONE_DMA] = (uint64_t)16 << 20 >> QR_PAGE_SHIFT,
		[ZONE_DMA32] = (uint64_t)4 << 30 >> QR_PAGE_SHIFT,
		[ZONE_NORMAL] = UINT64_MAX,
	};
	return end[class];
}

static qr_pfn_t
class_start(const struct plan *plan, enum zone_class class)
{
	if (!plan->has_classes || class == ZONE_DMA)
		return 0;
	return class_end((enum zone_class)(class - 1));
}

/* What of the node's usable memory is of the class. */
static struct plan_zone
plan_one(const struct plan *plan, const struct qr_boot *boot,
    enum zone_class class, uint32_t node)
{
	struct plan_zone zone = { .class = class, .node = node };
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		qr_pfn_t start = qr_max(range->start >> QR_PAGE_SHIFT,
		    class_start(plan, class));
		qr_pfn_t end =
		    qr_min(range->end >> QR_PAGE_SHIFT, class_end(class));
		if (range->node != node || start >= end)
			continue;
		if (zone.pages == 0)
			zone.start = qr_round_down(start, BLOCK_MAX);
		zone.end = end;
		zone.pages += end - start;
	}
	if (zone.pages != 0) {
		zone.first =
		    qr_sparse_plan_index(boot, &plan->sparse, zone.start);
		zone.past =
		    qr_sparse_plan_index(boot, &plan->sparse, zone.end - 1) + 1;
	}
	return zone;
}

/* Zones in the order of the zonelists. */
static void
plan_zones(struct plan *plan, const struct qr_boot *boot)
{
	unsigned first = plan->has_classes ? ZONE_DMA : ZONE_NORMAL;
	for (unsigned class = ZONE_CLASSES; class -- > first;) {
		for (uint32_t node = 0; node < QR_NODES_MAX; node++) {
			struct plan_zone zone =
			    plan_one(plan, boot, (enum zone_class) class, node);
			if (zone.pages != 0)
				plan->zone[plan->zone_count++] = zone;
		}
	}
}

static size_t
part_bytes(size_t bytes)
{
	return qr_round_up(bytes, TABLE_ALIGN);
}

static size_t
buddy_bytes(const struct plan_zone *zone)
{
	return part_bytes(
	    qr_buddy_state_bytes(zone->past - zone->first, QR_FRAME_ORDERS));
}

static int
plan_make(struct plan *plan, const struct qr_port *port,
    const struct qr_boot *boot)
{
	for (size_t i = 0; i < boot->usable.count; i++)
		if (boot->usable.range[i].node >= QR_NODES_MAX)
			return -QR_EINVAL;
	*plan = (struct plan){
		.has_classes = (port->flags & QR_PORT_DMA_ZONES) != 0,
	};
	int error = qr_sparse_plan(boot, &plan->sparse);
	if (error != 0)
		return error;
	plan_zones(plan, boot);
	plan->bytes = part_bytes(sizeof(struct qr_frames)) +
		      part_bytes(plan->zone_count * sizeof(struct qr_zone)) +
		      plan->zone_count *
			  part_bytes(port->cpu_count * sizeof(struct qr_pcp));
	for (unsigned i = 0; i < plan->zone_count; i++)
		plan->bytes += 2 * buddy_bytes(&plan->zone[i]);
	plan->bytes += part_bytes(qr_sparse_bytes(&plan->sparse)) +
		       plan->sparse.page_count * sizeof(struct qr_page);
	return 0;
}

/* Zeroed memory for the tables, from the widest class that has it. */
static int
tables_alloc(const struct plan *plan, struct qr_boot *boot,
    unsigned char **tables)
{
	qr_paddr_t start;
	int error = -QR_ENOMEM;
	for (unsigned class = ZONE_CLASSES; class -- > 0;) {
		const struct qr_boot_request request = {
			.size_bytes = plan->bytes,
			.align = TABLE_ALIGN,
			.limit_low = class_start(plan, (enum zone_class) class)
				     << QR_PAGE_SHIFT,
		};
		error = qr_boot_alloc(boot, &request, &start);
		if (error != -QR_ENOMEM)
			break;
	}
	if (error == 0)
		*tables = boot->direct_map + start;
	return error;
}

/* The next part of the tables. */
static void *
tables_take(unsigned char **tables, size_t bytes)
{
	void *part = *tables;
	*tables += part_bytes(bytes);
	return part;
}

static void
zone_init(struct qr_zone *zone, const struct plan_zone *plan, unsigned index)
{
	zone->first = plan->first;
	zone->end = plan->past;
	zone->pages = plan->pages;
	zone->node = plan->node;
	zone->class = plan->class;
	zone->index = (uint8_t)index;
	qr_lock_init(&zone->lock, QR_RANK_ZONE);
}

/* Frames that an allocation of each class leaves in the zone. */
static void
zone_init_reserve(const struct qr_frames *frames, struct qr_zone *zone)
{
	for (unsigned class = zone->class; class < ZONE_CLASSES; class ++) {
		uint64_t wider = 0;
		for (unsigned i = 0; i < frames->zone_count; i++) {
			const struct qr_zone *other = &frames->zone[i];
			if (other->class > zone->class &&
			    (unsigned)other->class <= class)
				wider += other->pages;
		}
		zone->reserve[class] = wider / RESERVE_DIVISOR;
	}
}

static void
zonelists_init(struct qr_frames *frames, const struct plan *plan)
{
	for (unsigned class = 0; class < ZONE_CLASSES; class ++) {
		unsigned first = 0;
		while (plan->has_classes && first < frames->zone_count &&
		       (unsigned)frames->zone[first].class > class)
			first++;
		frames->first_zone[class] = first;
	}
}

static struct qr_frames *
tables_lay_out(const struct plan *plan, const struct qr_port *port,
    const struct qr_boot *boot, unsigned char *tables)
{
	size_t pcp_bytes = port->cpu_count * sizeof(struct qr_pcp);
	struct qr_frames *frames = tables_take(&tables, sizeof(*frames));
	frames->port = port;
	frames->zone_count = plan->zone_count;
	frames->zone =
	    tables_take(&tables, plan->zone_count * sizeof(*frames->zone));
	for (unsigned i = 0; i < plan->zone_count; i++) {
		zone_init(&frames->zone[i], &plan->zone[i], i);
		frames->zone[i].pcp = tables_take(&tables, pcp_bytes);
		frames->total_pages += plan->zone[i].pages;
	}
	for (unsigned i = 0; i < plan->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		uint64_t units = zone->end - zone->first;
		size_t bytes = buddy_bytes(&plan->zone[i]);
		qr_buddy_init(&zone->buddy, units, QR_FRAME_ORDERS,
		    tables_take(&tables, bytes));
		qr_buddy_init(&zone->balloon, units, QR_FRAME_ORDERS,
		    tables_take(&tables, bytes));
		zone_init_reserve(frames, zone);
	}
	qr_sparse_init(frames, boot, &plan->sparse,
	    tables_take(&tables, qr_sparse_bytes(&plan->sparse)));
	frames->pages = (struct qr_page *)(void *)tables;
	zonelists_init(frames, plan);
	return frames;
}

/* A run of free frames of one node, from boot. Its sections' slots lie side
 * by side, as they do. */
static void
give(void *ctx, qr_pfn_t pfn, uint64_t count, uint32_t node)
{
	struct qr_frames *frames = ctx;
	uint64_t first = frames_index(frames, pfn);
	for (unsigned i = 0; i < frames->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		uint64_t start = qr_max(first, zone->first);
		uint64_t end = qr_min(first + count, zone->end);
		if (zone->node != node || start >= end)
			continue;
		qr_buddy_free_range(&zone->buddy, start - zone->first,
		    end - start);
		frames->boot_pages -= end - start;
	}
}

/* Frame number QR_PFN_NIL ends lists, so the frame that has it is nobody's. */
static int
reserve_last(struct qr_boot *boot)
{
	qr_paddr_t last = (qr_paddr_t)QR_PFN_NIL << QR_PAGE_SHIFT;
	if (qr_boot_end(boot) <= last)
		return 0;
	return qr_boot_reserve(boot, last, QR_PAGE_SIZE);
}

int
qr_frame_create(const struct qr_port *port, struct qr_boot *boot,
    const struct qr_frame_config *config, struct qr_frames **frames)
{
	struct plan plan;
	unsigned char *tables;
	QR_ASSERT(port->cpu_count >= 1 && port->cpu_count <= QR_CPUS_MAX,
	    "%u CPUs", port->cpu_count);
	if (boot->direct_map == NULL)
		return -QR_EINVAL;
	int error = plan_make(&plan, port, boot);
	if (error == 0)
		error = reserve_last(boot);
	if (error == 0)
		error = tables_alloc(&plan, boot, &tables);
	if (error != 0)
		return error;

	struct qr_frames *made = tables_lay_out(&plan, port, boot, tables);
	made->direct_map = boot->direct_map;
	if (config != NULL)
		made->min_free_pages = config->min_free_pages;
	made->boot_pages = made->total_pages;
	qr_boot_hand_over(boot, give, made);
	for (unsigned i = 0; i < made->zone_count; i++)
		atomic_init(&made->zone[i].free_pages,
		    made->zone[i].buddy.free_units);
	qr_watermark_update(made, 0);
	made->signature = FRAMES_SIGNATURE;
	*frames = made;
	return 0;
}
