"""Whether a path is on a network file system, where SQLite's locks and its shared memory can't be trusted."""

from __future__ import annotations

from pathlib import Path

_MOUNTS = Path("/proc/mounts")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"})
_NETWORK_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.gcsfuse", "fuse.cephfs", "fuse.smb")


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network file system that holds `path`; None for a local one, or where the system does not tell."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    place = path.absolute().resolve()
    kind, depth = "", -1
    for fields in (line.split(" ") for line in lines):
        point = Path(fields[1].encode().decode("unicode_escape"))
        if len(point.parts) >= depth and place.is_relative_to(point):
            kind, depth = fields[2], len(point.parts)
    return kind if kind in _NETWORK or kind.startswith(_NETWORK_FUSE) else None
