//! Which processors share a core, a memory node and a speed, from what Linux tells under /sys; and which of them threads get.
//! Reading takes the root as an argument, so that tests describe machines that are not here.

use std::collections::BTreeMap;
use std::path::Path;

/// One logical processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Processor {
    id: usize,
    /// Package and core; hyper-threads of one core have the same.
    core: (usize, usize),
    /// Memory node.
    node: usize,
    /// Larger is faster: P cores before E cores.
    capacity: usize,
}

/// The processors a process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topology {
    processors: Vec<Processor>,
}

/// A core's processors.
#[derive(Debug)]
struct Core {
    node: usize,
    capacity: usize,
    ids: Vec<usize>,
}

impl Topology {
    /// Of the `allowed` processors, from `root` (/sys/devices). What is not told there counts as all alike.
    pub(crate) fn read(root: &Path, allowed: &[usize]) -> Topology {
        let text = |path: String| std::fs::read_to_string(root.join(path)).ok();
        let number = |path: String| text(path)?.trim().parse::<usize>().ok();
        let slow = text("cpu_atom/cpus".into()).map(|list| ids(&list)).unwrap_or_default();
        let nodes = nodes(root);
        let processor = |&id: &usize| {
            let own = |file: &str| number(format!("system/cpu/cpu{id}/{file}"));
            let package = own("topology/physical_package_id").unwrap_or(0);
            Processor {
                id,
                core: (package, own("topology/core_id").unwrap_or(id)),
                node: nodes.get(&id).copied().unwrap_or(0),
                capacity: own("cpu_capacity").unwrap_or(usize::from(!slow.contains(&id))),
            }
        };
        Topology { processors: allowed.iter().map(processor).collect() }
    }

    /// Cores, the best first: fast before slow, one memory node after the other.
    fn cores(&self) -> Vec<Core> {
        // Core numbers may repeat between nodes of one package and between kinds.
        let mut cores: BTreeMap<_, Core> = BTreeMap::new();
        for &Processor { id, core, node, capacity } in &self.processors {
            let new = || Core { node, capacity, ids: Vec::new() };
            cores.entry((core, node, capacity)).or_insert_with(new).ids.push(id);
        }
        let mut cores: Vec<Core> = cores.into_values().collect();
        cores.sort_by_key(|core| (usize::MAX - core.capacity, core.node, core.ids[0]));
        cores
    }

    /// How many cores there are.
    pub(crate) fn core_count(&self) -> usize {
        self.cores().len()
    }

    /// Processors of each of `threads` threads, disjoint: a core each as long as there are enough, hyper-threads last. Cores
    /// that are left over go to threads on equals of theirs, so that a thread can step aside for another program.
    /// Empty when there are fewer processors than threads.
    pub(crate) fn places(&self, threads: usize) -> Vec<Vec<usize>> {
        let cores = self.cores();
        if threads > self.processors.len() || threads == 0 {
            return Vec::new();
        }
        if threads > cores.len() {
            let most = cores.iter().map(|core| core.ids.len()).max().unwrap_or(0);
            let ranked =
                (0..most).flat_map(|rank| cores.iter().filter_map(move |c| c.ids.get(rank)));
            return ranked.take(threads).map(|&id| vec![id]).collect();
        }
        let (chosen, spare) = cores.split_at(threads);
        let mut places: Vec<Vec<usize>> = chosen.iter().map(|core| core.ids.clone()).collect();
        let mut turn = 0;
        for core in spare {
            let equal =
                |i: &usize| (chosen[*i].node, chosen[*i].capacity) == (core.node, core.capacity);
            let equals: Vec<usize> = (0..threads).filter(equal).collect();
            if let Some(&i) = equals.get(turn % equals.len().max(1)) {
                places[i].extend(&core.ids);
                turn += 1;
            }
        }
        places
    }

    /// In words, for the facts.
    pub(crate) fn describe(&self) -> String {
        let cores = self.cores();
        let fastest = cores.first().map_or(0, |core| core.capacity);
        let slow = cores.iter().filter(|core| core.capacity < fastest).count();
        let mut nodes: Vec<usize> = cores.iter().map(|core| core.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let mut text = match slow {
            0 => format!("{} cores", cores.len()),
            _ => format!("{} fast and {slow} slow cores", cores.len() - slow),
        };
        text += &format!(", {} processors", self.processors.len());
        text += &format!(", {} memory nodes", nodes.len());
        text
    }
}

/// The memory node of each processor.
fn nodes(root: &Path) -> BTreeMap<usize, usize> {
    let mut of = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(root.join("system/node")) else { return of };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(node) = name.to_str().and_then(|name| name.strip_prefix("node")) else { continue };
        let Ok(node) = node.parse::<usize>() else { continue };
        let list = std::fs::read_to_string(entry.path().join("cpulist")).unwrap_or_default();
        of.extend(ids(&list).into_iter().map(|id| (id, node)));
    }
    of
}

/// The numbers of a list as the kernel writes them: `0-3,8,10-11`. What is no number is left out.
fn ids(list: &str) -> Vec<usize> {
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse().ok()?);
        // No machine has more; a broken file must not fill the memory.
        Some(first..=last).filter(|_| last < 1 << 16)
    };
    list.trim().split(',').filter_map(part).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files under a folder of its own.
    fn tree(name: &str, files: &[(String, String)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("topology-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    /// Core, package and node of each processor.
    fn machine(cores: &[(usize, usize, usize)]) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for (id, (core, package, node)) in cores.iter().enumerate() {
            let own = format!("system/cpu/cpu{id}/topology");
            files.push((format!("{own}/core_id"), format!("{core}\n")));
            files.push((format!("{own}/physical_package_id"), format!("{package}\n")));
            let ids: Vec<String> = (0..cores.len())
                .filter(|&other| cores[other].2 == *node)
                .map(|id| id.to_string())
                .collect();
            files.push((format!("system/node/node{node}/cpulist"), ids.join(",") + "\n"));
        }
        files
    }

    fn read(name: &str, files: &[(String, String)], allowed: &[usize]) -> Topology {
        let root = tree(name, files);
        let topology = Topology::read(&root, allowed);
        std::fs::remove_dir_all(root).unwrap();
        topology
    }

    #[test]
    fn hyper_threads_come_last_and_stay_with_their_core_until_then() {
        let cores: Vec<_> = (0..8).map(|id| (id % 4, 0, 0)).collect();
        let all: Vec<usize> = (0..8).collect();
        let topology = read("smt", &machine(&cores), &all);
        assert_eq!(topology.core_count(), 4);
        assert_eq!(topology.places(4), [[0, 4], [1, 5], [2, 6], [3, 7]]);
        assert_eq!(topology.places(6), [[0], [1], [2], [3], [4], [5]]);
        assert_eq!(topology.places(2), [[0, 4, 2, 6], [1, 5, 3, 7]]);
        assert!(topology.places(9).is_empty() && topology.places(0).is_empty());
    }

    #[test]
    fn fast_cores_come_first_and_never_share_with_slow_ones() {
        let mut files = machine(&(0..8).map(|id| (id, 0, 0)).collect::<Vec<_>>());
        files.push(("cpu_atom/cpus".into(), "0-3\n".into()));
        let all: Vec<usize> = (0..8).collect();
        let topology = read("hybrid", &files, &all);
        assert_eq!(topology.places(2), [[4, 6], [5, 7]]);
        assert_eq!(topology.places(5), [[4].to_vec(), vec![5], vec![6], vec![7], vec![0, 1, 2, 3]]);
        assert!(topology.describe().contains("4 fast and 4 slow"), "{}", topology.describe());
    }

    #[test]
    fn big_and_little_cores_are_told_apart_by_capacity() {
        let mut files = machine(&(0..4).map(|id| (id, 0, 0)).collect::<Vec<_>>());
        for (id, capacity) in [400, 400, 1024, 1024].into_iter().enumerate() {
            files.push((format!("system/cpu/cpu{id}/cpu_capacity"), format!("{capacity}\n")));
        }
        assert_eq!(read("arm", &files, &[0, 1, 2, 3]).places(3), [vec![2], vec![3], vec![0, 1]]);
    }

    #[test]
    fn a_memory_node_is_filled_before_the_next() {
        let cores: Vec<_> = (0..8).map(|id| (id / 2, id % 2, id % 2)).collect();
        let all: Vec<usize> = (0..8).collect();
        let topology = read("numa", &machine(&cores), &all);
        assert_eq!(topology.places(4), [[0], [2], [4], [6]]);
        assert_eq!(topology.places(6).concat(), [0, 2, 4, 6, 1, 5, 3, 7]);
        assert!(topology.describe().contains("2 memory nodes"));
    }

    #[test]
    fn without_files_every_processor_is_a_core_and_only_the_allowed_count() {
        let topology = read("bare", &[("x".into(), String::new())], &[3, 5, 9]);
        assert_eq!(topology.places(3), [[3], [5], [9]]);
        assert_eq!(topology.places(1), [[3, 5, 9]]);
    }

    #[test]
    fn lists_of_processors_are_read_and_nonsense_left_out() {
        for (list, expected) in [
            ("0-3,8,10-11\n", vec![0, 1, 2, 3, 8, 10, 11]),
            ("", vec![]),
            ("x,2,3-", vec![2]),
            ("5-4", vec![]),
            ("0-99999999999", vec![]),
        ] {
            assert_eq!(ids(list), expected, "{list:?}");
        }
    }
}
