#include "observe/utf8.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* The length of the well-formed sequence at `text`, 0 if there is none. */
static size_t sequence_length(const unsigned char *text, size_t available) {
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || length > available)
        return 0;
    unsigned char lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < lowest || text[1] > highest)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool utf8_is_valid(const char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text;
    while (length > 0) {
        /* Label text is almost always ASCII: look at eight bytes at a time. */
        uint64_t eight;
        if (length >= sizeof eight) {
            memcpy(&eight, at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                length -= sizeof eight;
                continue;
            }
        }
        size_t step = sequence_length(at, length);
        if (step == 0)
            return false;
        at += step;
        length -= step;
    }
    return true;
}

char *utf8_printable(const char *text, size_t length, char *out, size_t size) {
    static const char cut[] = "...";
    assert(size >= 2 * sizeof cut);
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (length > 0) {
        size_t step = sequence_length(at, length);
        size_t width = step ? step : 1;
        size_t reserve = used + length < size ? 1 : sizeof cut;
        if (used + width + reserve > size) {
            memcpy(out + used, cut, sizeof cut);
            return out;
        }
        if (step == 0 || *at < 0x20 || *at == 0x7F)
            out[used] = '?';
        else
            memcpy(out + used, at, step);
        used += width;
        at += width;
        length -= width;
    }
    out[used] = '\0';
    return out;
}
