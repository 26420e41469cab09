/* SPDX-License-Identifier: MIT */
/*
 * frame/setup.c: making the frame layer out of what boot has left.
 *
 * All tables are one piece of boot memory, so that there is one refusal and
 * nothing to undo:
 *
 *	| qr_frames | zones | lists of zone 0, 1, … | per zone: buddies, types |
 *	| slots of sections | descriptors                                     |
 */
#include "frame_impl.h"

#define TABLE_ALIGN 64u /* bytes; of each part: a cache line */

/* An allocation that could have had a wider class leaves one frame of a zone
 * of this class for so many of the wider ones; the field's numbers. NORMAL is
 * what the core itself lives on, so mapped pages that could be elsewhere leave
 * more of it. */
static const uint64_t reserve_divisor[QR_ZONE_CLASSES] = {
	[QR_ZONE_DMA] = 256,
	[QR_ZONE_DMA32] = 256,
	[QR_ZONE_NORMAL] = 32,
	[QR_ZONE_HIGHMEM] = UINT64_MAX,
	[QR_ZONE_MOVABLE] = UINT64_MAX,
};

/* The largest block is aligned to its size. */

/* What a zone will be. */
struct plan_zone {
	uint64_t first; /* index of its first frame */
	uint64_t past;  /* one past its last frame's */
	uint64_t pages; /* 0: unused */
	uint8_t node;
	uint8_t class;
};

struct plan {
	struct plan_zone zone[ZONES_MAX];
	unsigned zone_count;
	/* Frames of a class, but for MOVABLE; from the end of the one before
	 * it. */
	qr_pfn_t class_end[QR_ZONE_MOVABLE];
	qr_pfn_t movable_start[QR_NODES_MAX];
	struct sparse_plan sparse;
	size_t bytes; /* of all tables */
};

/* Where classes end. A class that devices and direct map don't tell apart
 * from the one before it is empty. */
static void
plan_classes(struct plan *plan, const struct qr_port *port)
{
	bool has_dma = (port->flags & QR_PORT_DMA_ZONES) != 0;
	qr_pfn_t high = port->direct_map_end != 0
			    ? port->direct_map_end >> QR_PAGE_SHIFT
			    : UINT64_MAX;
	uint64_t dma = has_dma ? (uint64_t)16 << 20 >> QR_PAGE_SHIFT : 0;
	uint64_t dma32 = has_dma ? (uint64_t)4 << 30 >> QR_PAGE_SHIFT : 0;
	plan->class_end[QR_ZONE_DMA] = qr_min(dma, high);
	plan->class_end[QR_ZONE_DMA32] = qr_min(dma32, high);
	plan->class_end[QR_ZONE_NORMAL] = high;
	plan->class_end[QR_ZONE_HIGHMEM] = UINT64_MAX;
}

/* Frames of the node, or of all: QR_NODES_MAX. */
static uint64_t
node_pages(const struct qr_boot *boot, uint32_t node)
{
	uint64_t pages = 0;
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		if (node == QR_NODES_MAX || range->node == node)
			pages += (range->end - range->start) >> QR_PAGE_SHIFT;
	}
	return pages;
}

/* Where the node's highest pages begin. */
static qr_pfn_t
node_top(const struct qr_boot *boot, uint32_t node, uint64_t pages)
{
	for (size_t i = boot->usable.count; i-- > 0 && pages != 0;) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		uint64_t there = (range->end - range->start) >> QR_PAGE_SHIFT;
		if (range->node != node)
			continue;
		if (there >= pages)
			return qr_round_up((range->end >> QR_PAGE_SHIFT) -
					       pages,
			    BLOCK_PAGES);
		pages -= there;
	}
	return UINT64_MAX;
}

static void
plan_movable(struct plan *plan, const struct qr_boot *boot,
    const struct qr_frame_config *config)
{
	uint64_t all = node_pages(boot, QR_NODES_MAX);
	for (uint32_t node = 0; node < QR_NODES_MAX; node++) {
		plan->movable_start[node] = UINT64_MAX;
		if (config == NULL || config->movable_pages == 0)
			continue;
		uint64_t want = qr_min(config->movable_pages, all) *
				node_pages(boot, node) / all;
		plan->movable_start[node] = node_top(boot, node, want);
	}
}

/* Frames [*start, *end) that are of the class if they are the node's. */
static void
class_range(const struct plan *plan, enum qr_zone_class class, uint32_t node,
    qr_pfn_t *start, qr_pfn_t *end)
{
	qr_pfn_t movable = plan->movable_start[node];
	if (class == QR_ZONE_MOVABLE) {
		*start = movable;
		*end = UINT64_MAX;
		return;
	}
	*start = class == QR_ZONE_DMA ? 0 : plan->class_end[class - 1];
	*end = qr_min(plan->class_end[class], movable);
}

/* What of the node's usable memory is of the class. */
static struct plan_zone
plan_one(const struct plan *plan, const struct qr_boot *boot,
    enum qr_zone_class class, uint32_t node)
{
	struct plan_zone zone = { .class = (uint8_t) class,
		.node = (uint8_t)node };
	qr_pfn_t low = 0;
	qr_pfn_t high = 0;
	qr_pfn_t from;
	qr_pfn_t to;
	class_range(plan, class, node, &from, &to);
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		qr_pfn_t start = qr_max(range->start >> QR_PAGE_SHIFT, from);
		qr_pfn_t end = qr_min(range->end >> QR_PAGE_SHIFT, to);
		if (range->node != node || start >= end)
			continue;
		if (zone.pages == 0)
			low = start;
		high = end;
		zone.pages += end - start;
	}
	if (zone.pages != 0) {
		zone.first = qr_sparse_plan_index(boot, &plan->sparse, low);
		zone.past =
		    qr_sparse_plan_index(boot, &plan->sparse, high - 1) + 1;
	}
	return zone;
}

/* The zone of memory that is yet to be plugged. */
static struct plan_zone
plan_plugged(const struct plan *plan, uint32_t node)
{
	const struct sparse_plan *sparse = &plan->sparse;
	return (struct plan_zone){
		.first = (uint64_t)(sparse->slot_count - sparse->plug_slots)
			 << SECTION_SHIFT,
		.past = (uint64_t)sparse->slot_count << SECTION_SHIFT,
		.node = (uint8_t)node,
		.class = QR_ZONE_MOVABLE,
	};
}

/* Zones, the widest class first. */
static void
plan_zones(struct plan *plan, const struct qr_boot *boot,
    const struct qr_frame_config *config)
{
	if (plan->sparse.plug_slots != 0)
		plan->zone[plan->zone_count++] =
		    plan_plugged(plan, config->plug_node);
	for (unsigned class = QR_ZONE_CLASSES; class -- > 0;) {
		for (uint32_t node = 0; node < QR_NODES_MAX; node++) {
			struct plan_zone zone = plan_one(plan, boot,
			    (enum qr_zone_class) class, node);
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
	    qr_buddy_state_bytes(zone->past -
				     qr_round_down(zone->first, BLOCK_PAGES),
		QR_FRAME_ORDERS));
}

static size_t
type_bytes(const struct plan_zone *zone)
{
	return part_bytes(((zone->past - 1) >> BLOCK_ORDER) + 1 -
			  (zone->first >> BLOCK_ORDER));
}

/* Buddies of all types, the balloon, and the pageblocks' types. */
static size_t
zone_bytes(const struct plan_zone *zone)
{
	return (QR_MIGRATE_TYPES + 1) * buddy_bytes(zone) + type_bytes(zone);
}

static int
plan_make(struct plan *plan, const struct qr_port *port,
    const struct qr_boot *boot, const struct qr_frame_config *config)
{
	for (size_t i = 0; i < boot->usable.count; i++)
		if (boot->usable.range[i].node >= QR_NODES_MAX)
			return -QR_EINVAL;
	if (config != NULL && config->plug_node >= QR_NODES_MAX)
		return -QR_EINVAL;
	*plan = (struct plan){ 0 };
	int error = qr_sparse_plan(boot, config, &plan->sparse);
	if (error != 0)
		return error;
	plan_classes(plan, port);
	plan_movable(plan, boot, config);
	plan_zones(plan, boot, config);
	if (QR_PORT_FLAT_RAM && plan->zone_count != 1)
		return -QR_EINVAL;
	plan->bytes = part_bytes(sizeof(struct qr_frames)) +
		      part_bytes(plan->zone_count * sizeof(struct qr_zone)) +
		      plan->zone_count *
			  part_bytes(port->cpu_count * sizeof(struct qr_pcp));
	for (unsigned i = 0; i < plan->zone_count; i++)
		plan->bytes += zone_bytes(&plan->zone[i]);
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
	for (unsigned class = QR_ZONE_NORMAL + 1; class -- > 0;) {
		qr_pfn_t from =
		    class == QR_ZONE_DMA ? 0 : plan->class_end[class - 1];
		const struct qr_boot_request request = {
			.size_bytes = plan->bytes,
			.align = TABLE_ALIGN,
			.limit_low = from << QR_PAGE_SHIFT,
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
	zone->base = qr_round_down(plan->first, BLOCK_PAGES);
	zone->first = plan->first;
	zone->end = plan->past;
	zone->pages = plan->pages;
	zone->node = plan->node;
	zone->class = (enum qr_zone_class)plan->class;
	zone->index = (uint8_t)index;
	qr_lock_init(&zone->lock, QR_RANK_ZONE);
}

/* Frames that an allocation of the class leaves in the zone. */
static uint64_t
zone_reserve(const struct qr_frames *frames, const struct qr_zone *zone,
    unsigned class)
{
	uint64_t wider = 0;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *other = &frames->zone[i];
		if (other->class > zone->class &&
		    (unsigned)other->class <= class)
			wider += other->pages;
	}
	return wider / reserve_divisor[zone->class];
}

void
qr_zone_reserves(struct qr_frames *frames)
{
	for (unsigned i = 0; i < frames->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		for (unsigned class = zone->class; class < QR_ZONE_CLASSES;
		     class ++)
			zone->reserve[class] =
			    zone_reserve(frames, zone, class);
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
		frames->lists[i] = frames->zone[i].pcp;
		frames->total_pages += plan->zone[i].pages;
	}
	for (unsigned i = 0; i < plan->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		uint64_t units = zone->end - zone->base;
		size_t bytes = buddy_bytes(&plan->zone[i]);
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			qr_buddy_init(&zone->buddy[type], units,
			    QR_FRAME_ORDERS, tables_take(&tables, bytes));
		zone->block_type =
		    tables_take(&tables, type_bytes(&plan->zone[i]));
		qr_buddy_init(&zone->balloon, units, QR_FRAME_ORDERS,
		    tables_take(&tables, bytes));
		__builtin_memset(zone->block_type, QR_MIGRATE_MOVABLE,
		    zone_end_block(zone));
	}
	qr_sparse_init(frames, boot, &plan->sparse,
	    tables_take(&tables, qr_sparse_bytes(&plan->sparse)));
	frames->pages = (struct qr_page *)(void *)tables;
	qr_zone_reserves(frames);
	qr_zonelists_init(frames);
	return frames;
}

/* Units that are free now; each pageblock's go to the buddy of its type. */
static void
give_units(struct qr_zone *zone, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t next = qr_min(end, (start | (BLOCK_PAGES - 1)) + 1);
		qr_buddy_free_range(zone_buddy(zone, start), start,
		    next - start);
		start = next;
	}
}

/* Sets the highest whole pageblocks of the first zone in the direct map
 * aside. Before any frame is given. */
static void
contig_init(struct qr_frames *frames, uint64_t pages)
{
	unsigned i = frames->list[0][QR_ZONE_NORMAL].zone[0];
	struct qr_zone *zone = &frames->zone[i];
	uint64_t block = (zone->end - zone->base) >> BLOCK_ORDER;
	uint64_t low = zone_first_block(zone) + 1;
	zone->has_contig = pages >= BLOCK_PAGES && block > low;
	for (; pages >= BLOCK_PAGES && block > low; pages -= BLOCK_PAGES)
		zone->block_type[--block] = QR_MIGRATE_CONTIG;
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
		give_units(zone, start - zone->base, end - zone->base);
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
	int error = plan_make(&plan, port, boot, config);
	if (error == 0)
		error = reserve_last(boot);
	if (error == 0)
		error = tables_alloc(&plan, boot, &tables);
	if (error != 0)
		return error;

	struct qr_frames *made = tables_lay_out(&plan, port, boot, tables);
	made->direct_map = boot->direct_map;
	made->direct_end = plan.class_end[QR_ZONE_NORMAL];
	if (config != NULL) {
		made->min_free_pages = config->min_free_pages;
		made->watermark_scale = config->watermark_scale;
		made->boost_scale = config->boost_scale;
		made->deflate_on_oom = config->deflate_on_oom;
		contig_init(made, config->contig_pages);
	}
	made->boot_pages = made->total_pages;
	qr_boot_hand_over(boot, give, made);
	for (unsigned i = 0; i < made->zone_count; i++)
		atomic_init(&made->zone[i].free_pages,
		    zone_free_units(&made->zone[i]));
	qr_watermark_update(made, 0);
	for (unsigned i = 0; i < made->zone_count; i++)
		for (unsigned cpu = 0; cpu < port->cpu_count; cpu++)
			qr_pcp_init(made, &made->zone[i],
			    &made->zone[i].pcp[cpu]);
	made->signature = FRAMES_SIGNATURE;
	*frames = made;
	return 0;
}

void
qr_frame_set_ops(struct qr_frames *frames, const struct qr_frame_ops *ops,
    void *ctx)
{
	frames->ops = ops;
	frames->ops_ctx = ctx;
}

qr_trace_switch *
qr_frame_trace(struct qr_frames *frames)
{
	return &frames->trace;
}

const struct qr_port *
qr_frame_port(const struct qr_frames *frames)
{
	return frames->port;
}
