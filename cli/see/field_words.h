/* SPDX-License-Identifier: MIT */
/*
 * field_words.h: what the kernel's fields mean, by the view that shows them.
 * Each gives a sentence, or NULL for what it does not know.
 */
#ifndef CLI_SEE_FIELD_WORDS_H
#define CLI_SEE_FIELD_WORDS_H

#define FIELD_UNKNOWN "Not known to this version of Quire."

const char *meminfo_meaning(const char *field);
const char *status_meaning(const char *field);
const char *setting_meaning(const char *setting);

#endif
