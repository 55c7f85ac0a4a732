# SPDX-License-Identifier: MIT
"""What AppArmor mediates in the oldest kernel that devices run, in the form that apparmor_parser(8) reads.

It is what /sys/kernel/security/apparmor/features holds of Linux 6.12, unpatched, as one text: a folder is its name and
braces, a file its name and its content in braces. A policy for these features is compiled to the same bytes on every
machine, and loads into every later kernel.
"""

from __future__ import annotations

_FOLDERS: dict[str, dict[str, str]] = {
    "caps": {
        "mask": "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
        "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot "
        "sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write "
        "audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf "
        "checkpoint_restore"
    },
    "domain": {
        "change_hat": "yes",
        "change_hatv": "yes",
        "change_onexec": "yes",
        "change_profile": "yes",
        "computed_longest_left": "yes",
        "fix_binfmt_elf_mmap": "yes",
        "post_nnp_subset": "yes",
        "stack": "yes",
        "version": "1.2",
    },
    "file": {"mask": "create read write exec append mmap_exec link lock"},
    "io_uring": {"mask": "sqpoll override_creds"},
    "mount": {"mask": "mount umount pivot_root", "move_mount": "detached"},
    "namespaces": {"mask": "userns_create", "pivot_root": "no", "profile": "yes"},
    "network_v8": {
        "af_mask": "unspec unix inet ax25 ipx appletalk netrom bridge atmpvc x25 inet6 rose netbeui security key "
        "netlink packet ash econet atmsvc rds sna irda pppox wanpipe llc ib mpls can tipc bluetooth iucv rxrpc isdn "
        "phonet ieee802154 caif alg nfc vsock kcm qipcrtr smc xdp mctp"
    },
    "policy": {"set_load": "yes"},
    "ptrace": {"mask": "read trace"},
    "rlimit": {
        "mask": "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime"
    },
    "signal": {
        "mask": "hup int quit ill trap abrt bus fpe kill usr1 segv usr2 pipe alrm term stkflt chld cont stop stp ttin "
        "ttou urg xcpu xfsz vtalrm prof winch io pwr sys emt lost"
    },
}

_VERSIONS = ("v5", "v6", "v7", "v8")


def features() -> str:
    """Return the text of the features file."""
    folders = {name: dict(files) for name, files in _FOLDERS.items()}
    lines = ["capability {0xffffff\n}"]
    for name, files in folders.items():
        inner = "".join(f"{file} {{{text}\n}}\n" for file, text in files.items())
        if name == "policy":
            inner += "versions {" + "".join(f"{version} {{yes\n}}\n" for version in _VERSIONS) + "}\n"
        lines.append(f"{name} {{{inner}}}")
    return "\n".join(lines) + "\n"
