// SPDX-License-Identifier: MIT
#include "check.h"
#include "uevent.h"

#define NOTE(text) note(text, sizeof text - 1)

static struct uevents note(const char *message, size_t length)
{
	struct uevents events = {0};

	uevent_note(&events, message, length);
	return events;
}

int main(void)
{
	struct uevents found = NOTE("add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=pci\0MODALIAS=pci:v1\0SEQNUM=7\0");
	check(found.device && !found.input && !found.port && !found.watchdog);
	found = NOTE("remove@/devices/x\0ACTION=remove\0SUBSYSTEM=tty\0MODALIAS=pci:v1\0");
	check(!found.device && !found.input && !found.port && !found.watchdog);
	found = NOTE("add@/devices/x/input1\0ACTION=add\0SUBSYSTEM=input\0");
	check(!found.device && found.input && !found.port && !found.watchdog);
	// A port, whose name is there with the second event.
	found = NOTE("add@/devices/x/vport0p1\0ACTION=add\0SUBSYSTEM=virtio-ports\0DEVNAME=vport0p1\0");
	check(found.port && !found.device && !found.watchdog);
	found = NOTE("change@/devices/x/vport0p1\0ACTION=change\0SUBSYSTEM=virtio-ports\0DEVNAME=vport0p1\0");
	check(found.port && !found.device);
	found = NOTE("add@/devices/x/ttyUSB0\0ACTION=add\0SUBSYSTEM=tty\0DEVNAME=ttyUSB0\0");
	check(found.port);
	found = NOTE("add@/devices/x/watchdog0\0ACTION=add\0SUBSYSTEM=watchdog\0DEVNAME=watchdog0\0");
	check(found.watchdog && !found.port && !found.device);
	found = NOTE("change@/devices/x/vda\0ACTION=change\0SUBSYSTEM=block\0MODALIAS=x\0");
	check(!found.device && !found.input && !found.port && !found.watchdog);
	found = NOTE("");
	check(!found.device && !found.input && !found.port && !found.watchdog);
	return check_result("uevent");
}
