//! Which points stay, and why: `sequential` (as Proxmox Backup Server) and `union` (as restic). Pure.
