/* The strings of the status list. */
#include <genmath/status.h>
#include <stddef.h>

#define GM_STATUS_TEXT(name, text) text,
#define GM_STATUS_NAME(name, text) #name,
static const char *const status_text[] = {GM_STATUS_LIST(GM_STATUS_TEXT)};
static const char *const status_name[] = {GM_STATUS_LIST(GM_STATUS_NAME)};

const char *gm_status_string(gm_status status) {
    return (unsigned)status < GM_STATUS_COUNT ? status_text[status] : "unknown status";
}

const char *gm_status_name(gm_status status) {
    return (unsigned)status < GM_STATUS_COUNT ? status_name[status] : NULL;
}
