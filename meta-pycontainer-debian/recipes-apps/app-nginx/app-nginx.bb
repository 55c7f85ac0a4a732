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
# Without maintainer scripts and services: what only they use, and the parts of the C library that a server does not.
ROOTFS_STRIP += "etc/init.d/* etc/default/* etc/logrotate.d/* etc/ufw/* etc/ld.so.conf.d/* usr/lib/systemd/* usr/share/* \
    etc/nginx/sites-*/* etc/nginx/snippets/* etc/nginx/modules-*/* etc/nginx/nginx.conf var/* usr/bin/* \
    usr/lib/*/gconv/* usr/lib/*/ossl-modules/* usr/lib/*/engines-3/* usr/lib/*/perl5/* usr/lib/locale/* usr/lib/*/libnss_* \
    usr/lib/*/libthread_db* usr/lib/*/libmemusage* usr/lib/*/libpcprofile* usr/lib/*/libanl* usr/lib/*/libmvec*"
