# SPDX-License-Identifier: MIT
SUMMARY = "An example app: lighttpd and one page, as a container of its own"
LICENSE = "MIT"
inherit pycontainer-app

PYCONTAINER_LAYER = "web"
IMAGE_INSTALL = "lighttpd base-passwd pycontainer-web-page"
PYCONTAINER_CONFIG = '{"Entrypoint": ["/usr/sbin/lighttpd", "-D", "-f", "/etc/pycontainer-web.conf"], "User": "www-data:www-data", \
    "WorkingDir": "/", "StopSignal": "SIGTERM", "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/tmp": {}}}'
