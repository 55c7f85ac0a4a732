# SPDX-License-Identifier: MIT
#
# One program as a container, with what it depends on and nothing else.
#
#   SUMMARY = "A web server as a container of its own"
#   LICENSE = "MIT"
#   inherit pycontainer-app
#   IMAGE_INSTALL = "lighttpd"
#   PYCONTAINER_CONFIG = '{"Entrypoint": ["/usr/sbin/lighttpd", "-D"], "ExposedPorts": {"8080/tcp": {}}}'

inherit pycontainer-rootfs

PYCONTAINER_LAYER = "${PN}"
PYCONTAINER_KIND = "app"
# No package manager's or init system's leftovers, no recommendations: what an app needs it names.
NO_RECOMMENDATIONS = "1"
IMAGE_FEATURES = ""
VIRTUAL-RUNTIME_init_manager = ""
VIRTUAL-RUNTIME_login_manager = ""
