/* src/orient/forest_layout.h - how a forest lies in memory; for the forest's own files only.
 *
 * All trees lie one behind the other in one array of 8-byte nodes. Two children are neighbours, so a node
 * names only the left one, as an index within its tree, and the walk needs no branch:
 *     at = node.left + (x[node.column] >= node.split)
 * A leaf is its own left child and looks at an extra column that is minus infinity, so a walk that has
 * arrived stays where it is; its `split` is the path length that ends there. Every walk can therefore take
 * exactly `height_limit` steps, and many trees are walked side by side.
 *
 * Values are compared as floats, each column scaled to 0..1 over the rows of training: isolation does not
 * see the scale, and so 24 bits always go to the part of the number that varies. */
#ifndef SENTINEL_ORIENT_FOREST_LAYOUT_H
#define SENTINEL_ORIENT_FOREST_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orient/forest.h"

struct forest_node {
    float split;     /* a leaf: the path length */
    uint16_t column; /* a leaf: forest->columns */
    uint16_t left;   /* a leaf: itself */
};

struct column_scale {
    double offset, factor;
    bool used; /* some node splits on it */
};

struct forest {
    size_t columns, trees, subsample_size, height_limit;
    size_t node_count;
    struct column_scale *scales; /* columns */
    uint32_t *roots;             /* trees + 1: where each tree begins in `nodes` */
    struct forest_node *nodes;
    uint16_t *rows;               /* beside nodes: how many rows of training came here */
    double *average_path_lengths; /* c(0) .. c(subsample_size) */
};

/* Everything but the contents: scales, roots and nodes are zero, c(n) is filled in. */
struct forest *forest_create(size_t columns, size_t trees, size_t subsample_size, size_t nodes);
/* Scales `x` into row[0 .. columns] (the last is the leaves' column). False: a value that some tree asks for
 * is missing. */
bool forest_scale_row(const struct forest *forest, const double *x, float *row);
/* s = 2^(-mean path length / c(psi)), from the sum of the path lengths over all trees. */
double forest_score_of_paths(const struct forest *forest, double path_length_sum);
static inline bool forest_node_is_leaf(const struct forest *forest, const struct forest_node *node) {
    return node->column == forest->columns;
}

#endif
