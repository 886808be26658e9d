//! The memory limit of the container: that of the process's control group, or of one
//! above it.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The unified hierarchy (cgroup v2) and the memory controller's own (v1): the type of
/// file system, the file with the limit.
const HIERARCHIES: [(&str, &str); 2] = [
    ("cgroup2", "memory.max"),
    ("cgroup", "memory.limit_in_bytes"),
];

/// In bytes; none if there is no limit, or the system has no control groups.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

/// As seen with `root` as the root directory.
fn limit_below(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let limits = mounts.lines().filter_map(|line| {
        let mount = Mount::parse(line)?;
        let group = mount.group(&groups)?;
        lowest_limit(
            &root.join(mount.point.strip_prefix("/").ok()?),
            &group,
            mount.file,
        )
    });
    limits.min()
}

/// The lowest limit of a group and of those above it, up to the mount point.
fn lowest_limit(mount_point: &Path, group: &Path, file: &str) -> Option<u64> {
    let limits = group.ancestors().filter_map(|group| {
        let text = fs::read_to_string(mount_point.join(group).join(file)).ok()?;
        // "max" is none in v2; in v1, none is the largest multiple of the page size.
        text.trim()
            .parse::<u64>()
            .ok()
            .filter(|limit| *limit < i64::MAX as u64 >> 1)
    });
    limits.min()
}

/// A mounted hierarchy with limits of memory.
struct Mount<'a> {
    /// The part of the hierarchy that is mounted.
    root: &'a Path,
    point: &'a Path,
    file: &'static str,
}

impl<'a> Mount<'a> {
    /// One line of `/proc/self/mountinfo` (its page in section 5 of the manual).
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let kind = system.next()?;
        let (_, file) = HIERARCHIES.into_iter().find(|(name, _)| *name == kind)?;
        let has_memory =
            kind == "cgroup2" || system.next_back()?.split(',').any(|it| it == "memory");
        has_memory.then_some(Self {
            root: Path::new(root),
            point: Path::new(point),
            file,
        })
    }

    /// The process's group, relative to the mount point, by `/proc/self/cgroup`
    /// (cgroups(7)).
    fn group(&self, groups: &str) -> Option<PathBuf> {
        let is_unified = self.file == "memory.max";
        let mut paths = groups.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_same = if is_unified {
                number == "0" && controllers.is_empty()
            } else {
                controllers.split(',').any(|it| it == "memory")
            };
            is_same.then(|| Path::new(path))
        });
        // With a namespace of its own, a process in a container sees a path that is not
        // below what is mounted; the mount point is its group then.
        let group = paths
            .next()?
            .strip_prefix(self.root)
            .unwrap_or(Path::new(""));
        let group = group.strip_prefix("/").unwrap_or(group);
        let is_below = group
            .components()
            .all(|it| matches!(it, Component::Normal(_)));
        Some(if is_below { group } else { Path::new("") }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::limit_below;

    const MIB: u64 = 1 << 20;
    const V2: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let root = TempDir::new().unwrap();
        let proc = [
            ("proc/self/cgroup", groups),
            ("proc/self/mountinfo", mounts),
        ];
        for (path, text) in proc.iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        limit_below(root.path())
    }

    #[test]
    fn the_lowest_limit_of_the_groups_above_counts() {
        let files = [
            ("sys/fs/cgroup/pods/memory.max", "268435456\n"),
            ("sys/fs/cgroup/pods/one/memory.max", "536870912\n"),
            ("sys/fs/cgroup/pods/one/main/memory.max", "max\n"),
            ("sys/fs/cgroup/pods/other/memory.max", "1048576\n"),
        ];
        let own = limit("0::/pods/one/main\n", V2, &files);
        assert_eq!(own, Some(256 * MIB));
        assert_eq!(limit("0::/\n", V2, &files), None);
        assert_eq!(limit("0::/pods/none\n", V2, &files), Some(256 * MIB));
    }

    #[test]
    fn a_container_is_the_root_of_its_own_namespace() {
        let files = [("sys/fs/cgroup/memory.max", "33554432\n")];
        assert_eq!(limit("0::/\n", V2, &files), Some(32 * MIB));
        assert_eq!(limit("0::/../host\n", V2, &files), Some(32 * MIB));
    }

    #[test]
    fn the_memory_controller_of_version_1_counts() {
        let none = "9223372036854771712\n";
        let files = [
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", none),
            (
                "sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes",
                "67108864\n",
            ),
            ("sys/fs/cgroup/memory/free/memory.limit_in_bytes", none),
        ];
        let groups = |name| format!("5:cpu:/x\n4:hugetlb,memory:{name}\n0::/\n");
        assert_eq!(limit(&groups("/docker/a"), V1, &files), Some(64 * MIB));
        assert_eq!(limit(&groups("/free"), V1, &files), None);
        // As Docker mounts it in a container without a namespace for groups.
        let mounts = V1.replace("0:32 / ", "0:32 /docker/a ");
        let files = [("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n")];
        assert_eq!(limit(&groups("/docker/a"), &mounts, &files), Some(64 * MIB));
    }

    #[test]
    fn no_control_groups_are_no_limit() {
        assert_eq!(limit("", "", &[]), None);
        assert_eq!(limit("0::/\n", "nonsense\n", &[]), None);
    }
}
