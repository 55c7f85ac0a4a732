// SPDX-License-Identifier: MIT
// The functions of libsystemd that crun links to (and libdbus, which LXC links to), each saying "there is no systemd here" in the library's own way:
// a negative errno from calls, zero from notifications, NULL from releases.
#include <errno.h>
#include <stddef.h>

#define ABSENT(name) \
	int name(void); \
	int name(void) { return -ENOSYS; }
#define NOTHING(name) \
	int name(void); \
	int name(void) { return 0; }
#define RELEASED(name) \
	void *name(void *object); \
	void *name(void *object) { (void)object; return NULL; }

ABSENT(sd_bus_call)
ABSENT(sd_bus_default)
ABSENT(sd_bus_default_system)
ABSENT(sd_bus_default_user)
ABSENT(sd_bus_match_signal_async)
ABSENT(sd_bus_message_append)
ABSENT(sd_bus_message_append_array)
ABSENT(sd_bus_message_append_basic)
ABSENT(sd_bus_message_append_strv)
ABSENT(sd_bus_message_close_container)
ABSENT(sd_bus_message_new_method_call)
ABSENT(sd_bus_message_open_container)
ABSENT(sd_bus_message_read)
ABSENT(sd_bus_process)
ABSENT(sd_bus_wait)
ABSENT(sd_is_socket)
ABSENT(sd_journal_send_with_location)
NOTHING(sd_bus_error_free)
NOTHING(sd_bus_error_get_errno)
NOTHING(sd_listen_fds)
NOTHING(sd_notify)
NOTHING(sd_notify_barrier)
RELEASED(sd_bus_message_unref)
RELEASED(sd_bus_unref)
