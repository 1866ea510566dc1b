/* src/present/csv.h - flat objects as comma-separated values (RFC 4180), for spreadsheets. Pure. */
#ifndef SENTINEL_PRESENT_CSV_H
#define SENTINEL_PRESENT_CSV_H

#include <jansson.h>
#include <stdio.h>

/* A header line, then a line per object of `rows`; null and missing are empty. Text that a spreadsheet would
 * take for a formula gets an apostrophe in front: the name of a process is anybody's to choose. */
void csv_write(const json_t *rows, const char *const *columns, size_t column_count, FILE *out);

#endif
