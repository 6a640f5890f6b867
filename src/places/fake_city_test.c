// The writer: a binary tree with records of 32 bits, the records as maps, the metadata behind them.
#include "places/fake_city_test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/testing.h"

enum { NODES_MAX = 4096, EMPTY = -1, LEAF = -2 }; // a leaf is LEAF - index of its city

struct tree {
    int child[NODES_MAX][2];
    int nodes;
};

static int new_node(struct tree *tree)
{
    assert_true(tree->nodes < NODES_MAX);
    tree->child[tree->nodes][0] = tree->child[tree->nodes][1] = EMPTY;
    return tree->nodes++;
}

static unsigned bit_of(const uint8_t *at, unsigned i)
{
    return at[i / 8] >> (7 - i % 8) & 1;
}

static void insert(struct tree *tree, const uint8_t *at, unsigned bits, int leaf)
{
    int node = 0;
    for (unsigned i = 0; i + 1 < bits; i++) {
        int *next = &tree->child[node][bit_of(at, i)];
        if (*next == EMPTY)
            *next = new_node(tree);
        assert_true(*next >= 0); // cities do not overlap
        node = *next;
    }
    tree->child[node][bit_of(at, bits - 1)] = leaf;
}

// In a tree of IPv6, IPv4 lies in ::/96 and not where it is mapped.
static void insert_city(struct tree *tree, const struct city_file *file, size_t i)
{
    struct ip_network network;
    assert_false(failed(ip_network_read(slice_text(file->cities[i].network), &network, NULL)));
    bool v4 = ip_is_v4(&network.first);
    if (v4)
        network.first.at[10] = network.first.at[11] = 0;
    unsigned skipped = file->only_v4 ? 12 : 0;
    insert(tree, network.first.at + skipped, network.bits - skipped * 8, LEAF - (int)i);
}

// Control byte: the type in the upper three bits, the size in the lower five (up to 28 here).
static void text(struct buf *out, const char *value)
{
    size_t len = strlen(value);
    assert_true(len < 29);
    buf_u8(out, (uint8_t)(2 << 5 | len));
    buf_text(out, value);
}

static void map(struct buf *out, unsigned pairs)
{
    buf_u8(out, (uint8_t)(7 << 5 | pairs));
}

static void number(struct buf *out, uint8_t type, uint64_t value, unsigned bytes)
{
    if (type > 7) { // an extended type says so in the byte behind
        buf_u8(out, (uint8_t)bytes);
        buf_u8(out, type - 7);
    } else {
        buf_u8(out, (uint8_t)((unsigned)type << 5 | bytes));
    }
    for (unsigned i = bytes; i-- > 0;)
        buf_u8(out, (uint8_t)(value >> (8 * i)));
}

static void degrees(struct buf *out, double value, bool single)
{
    uint64_t bits = 0;
    uint32_t short_bits = 0;
    float narrow = (float)value;
    memcpy(&bits, &value, sizeof bits);
    memcpy(&short_bits, &narrow, sizeof short_bits);
    number(out, single ? 15 : 3, single ? short_bits : bits, single ? 4 : 8);
}

static void write_city(struct buf *out, const struct city *city)
{
    map(out, 1u + !city->nowhere + (city->country != NULL));
    text(out, "city");
    map(out, 1);
    text(out, "names");
    map(out, 1);
    text(out, "en");
    text(out, city->network);
    if (city->country != NULL) {
        text(out, "country");
        map(out, 1);
        text(out, "iso_code");
        text(out, city->country);
    }
    if (city->nowhere)
        return;
    text(out, "location");
    map(out, 2);
    text(out, "latitude");
    degrees(out, city->latitude, city->single);
    text(out, "longitude");
    degrees(out, city->longitude, city->single);
}

static void write_metadata(struct buf *out, const struct city_file *file, int nodes)
{
    buf_bytes(out, SLICE("\xab\xcd\xefMaxMind.com"));
    map(out, 9);
    text(out, "languages"); // the library will not do without the first two
    number(out, 11, 0, 0);
    text(out, "description");
    map(out, 0);
    text(out, "binary_format_major_version");
    number(out, 5, 2, 2);
    text(out, "binary_format_minor_version");
    number(out, 5, 0, 2);
    text(out, "build_epoch");
    number(out, 9, file->built_s != 0 ? file->built_s : 1716249600, 8);
    text(out, "database_type");
    text(out, file->type);
    text(out, "ip_version");
    number(out, 5, file->only_v4 ? 4 : 6, 2);
    text(out, "node_count");
    number(out, 6, (uint64_t)nodes, 4);
    text(out, "record_size");
    number(out, 5, 32, 2);
}

void city_write(const struct city_file *file, struct buf *out)
{
    static struct tree tree;
    uint32_t offsets[64];
    struct buf data = buf_capped(1 << 20);
    tree.nodes = 0;
    (void)new_node(&tree);
    assert_true(file->count <= 64);
    for (size_t i = 0; i < file->count; i++) {
        insert_city(&tree, file, i);
        offsets[i] = (uint32_t)data.len;
        write_city(&data, &file->cities[i]);
    }
    for (int i = 0; i < tree.nodes; i++) {
        for (int side = 0; side < 2; side++) {
            int child = tree.child[i][side];
            uint32_t nodes = (uint32_t)tree.nodes;
            buf_u32(out, child >= 0       ? (uint32_t)child
                         : child == EMPTY ? nodes
                                          : nodes + 16 + offsets[LEAF - child]);
        }
    }
    buf_bytes(out, slice_of((const uint8_t[16]){0}, 16));
    buf_bytes(out, buf_slice(&data));
    write_metadata(out, file, tree.nodes);
    buf_release(&data);
    assert_false(failed(buf_err(out)));
}

const char *city_save(struct slice bytes)
{
    static char path[256];
    const char *folder = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/usher-places-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
    (void)close(fd);
    return path;
}
