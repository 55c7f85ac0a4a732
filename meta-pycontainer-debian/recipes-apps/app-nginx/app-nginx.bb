# SPDX-License-Identifier: MIT
SUMMARY = "nginx as a container of its own: the server and its libraries, nothing of a userland"
inherit pycontainer-rootfs

PYCONTAINER_LAYER = "nginx"
PYCONTAINER_KIND = "app"
PYCONTAINER_CONFIG = '{"Entrypoint": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"], \
    "User": "www-data:www-data", "WorkingDir": "/", "StopSignal": "SIGQUIT", "ExposedPorts": {"8080/tcp": {}}, \
    "Env": ["PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8"], "Volumes": {"/tmp": {}}}'

DEBIAN_PACKAGES = "nginx"
DEBIAN_PACKAGES_EXCLUDE = "iproute2 debconf gcc-14-base libgcc-s1 openssl-provider-legacy init-system-helpers"

SRC_URI = "file://nginx.conf file://passwd file://group"
ROOTFS_FILES = "nginx.conf=/etc/nginx/nginx.conf passwd=/etc/passwd group=/etc/group"
ROOTFS_FOLDERS += "/srv/www"
# Of all that the packages bring: the server, the libraries it is linked to, and its tables.
ROOTFS_PROGRAMS = "usr/sbin/nginx"
ROOTFS_STRIP += "etc* !etc/nginx/mime.types !etc/nginx/*_params !etc/nginx/fastcgi.conf usr/bin* usr/share* var*"
