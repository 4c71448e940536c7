//! The environment over fixture trees and over this machine.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use yardstick_record::Environment;

use super::{EnvironmentOptions, TABLES, environment};
use crate::Root;

fn write(tree: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = tree.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn read(tree: &Path) -> Environment {
    environment(&EnvironmentOptions { root: Root::new(tree), watch: Duration::ZERO })
}

const CPU: &str = "sys/devices/system/cpu";

/// Two cores of two threads.
fn machine(tree: &Path) {
    let cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n\
        model name\t: Example\u{1b}[31m 9000\nstepping\t: 8\nmicrocode\t: 0x2b\ncpu MHz\t\t: 2000.5\n\
        flags\t\t: fpu avx2 avx512_vnni hypervisor\n\nprocessor\t: 1\n\nprocessor\t: 2\n\nprocessor\t: 3\n";
    write(
        tree,
        &[
            ("proc/cpuinfo", cpuinfo),
            ("proc/meminfo", "MemTotal: 1024 kB\nMemAvailable: 512 kB\nSwapTotal: 0 kB\n"),
            ("proc/loadavg", "0.50 1.25 2.00 1/100 4242\n"),
            ("proc/stat", "cpu  1 0 0 5 0 0 0 9 0 0\n"),
            ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-test\n"),
            (
                "proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX Kernel Module  580.65.06  Sun\n",
            ),
            ("proc/self/maps", "7f00-7f01 r-xp 0 08:01 1 /lib/libc.so.6\n"),
            (
                "lib/libc.so.6",
                "\0\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nx",
            ),
            ("etc/os-release", "PRETTY_NAME=\"x\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/devices/system/cpu/smt/control", "on\n"),
            ("sys/devices/system/node/node0/x", ""),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
            ("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
            ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
            ("sys/class/thermal/thermal_zone0/temp", "45500\n"),
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/status", "Discharging\n"),
            ("sys/class/power_supply/BAT0/capacity", "80\n"),
        ],
    );
    for cpu in 0..4 {
        let core = cpu / 2 * 2;
        let siblings = format!("{core}-{}\n", core + 1);
        let governor = if cpu == 3 { "powersave\n" } else { "performance\n" };
        for (file, text) in [
            ("topology/thread_siblings_list", siblings.as_str()),
            ("cpufreq/scaling_governor", governor),
            ("cpufreq/scaling_max_freq", "3500000\n"),
            ("cache/index2/level", "2\n"),
            ("cache/index2/type", "Unified\n"),
            ("cache/index2/size", "2048K\n"),
            ("cache/index2/shared_cpu_list", siblings.as_str()),
            ("cache/index3/level", "3\n"),
            ("cache/index3/type", "Unified\n"),
            ("cache/index3/size", "16M\n"),
            ("cache/index3/shared_cpu_list", "0-3\n"),
        ] {
            write(tree, &[(&format!("{CPU}/cpu{cpu}/{file}"), text)]);
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn fields_are_what_the_files_say() {
    let tree = TempDir::new().unwrap();
    machine(tree.path());
    let environment = read(tree.path());
    for (name, expected) in [
        ("cpu.model", "Example[31m 9000"),
        ("cpu.vendor", "GenuineIntel"),
        ("cpu.family", "6"),
        ("cpu.model_number", "143"),
        ("cpu.stepping", "8"),
        ("cpu.microcode", "0x2b"),
        ("cpu.isa", r#"["avx2","avx512_vnni"]"#),
        ("cpu.threads", "4"),
        ("cpu.cores", "2"),
        ("cpu.smt", "on"),
        ("cpu.numa_nodes", "1"),
        ("cpu.cache_l2_bytes", "2097152"),
        ("cpu.cache_l3_bytes", "16777216"),
        ("cpu.cache_l3_instances", "1"),
        ("cpu.hypervisor", "true"),
        ("cpu.mitigations", r#"{"meltdown":"Not affected"}"#),
        ("cpu.affinity", "0-3"),
        ("cpu.governor", r#"["performance","powersave"]"#),
        ("cpu.frequency_max_khz", "3500000"),
        ("cpu.frequency_stated_mhz", "2000.5"),
        ("cpu.turbo", "true"),
        ("memory.total_bytes", "1048576"),
        ("memory.available_bytes", "524288"),
        ("memory.swap_total_bytes", "0"),
        ("memory.transparent_huge_pages", "madvise"),
        ("cgroup.cpu_limit_cores", "1.5"),
        ("cgroup.memory_limit_bytes", "none"),
        ("os.name", "Debian GNU/Linux"),
        ("os.version", "12"),
        ("os.kernel", "6.1.0-test"),
        ("os.libc", "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36"),
        ("gpu.nvidia_driver", "580.65.06"),
        ("load.average_5_min", "1.25"),
        ("load.steal_ticks", "9"),
        ("thermal.zones_celsius", r#"{"thermal_zone0.x86_pkg_temp":45.5}"#),
        ("power.source", "battery"),
        ("power.battery_percent", "80"),
    ] {
        assert_eq!(environment.text(name).as_deref(), Some(expected), "{name}");
    }
    for (name, part) in [
        ("cpu.part", "CPU implementer"),
        ("cpu.frequency_now_khz", "scaling_cur_freq"),
        ("machine.vendor", "/sys/class/dmi/id/sys_vendor"),
        ("load.other_cpu_percent", "not watched"),
        ("cpu.cache_l1d_bytes", "no level 1 data cache"),
    ] {
        let reason = environment.fields[name].reason().unwrap();
        assert!(reason.contains(part), "{name}: {reason}");
    }
}

#[test]
fn every_field_of_an_empty_machine_has_a_reason() {
    let tree = TempDir::new().unwrap();
    let environment = read(tree.path());
    let fields: usize = TABLES.iter().map(|table| table.len()).sum();
    if cfg!(target_os = "linux") {
        assert_eq!(environment.fields.len(), fields, "a name stands twice in the tables");
        // The build knows the one, and the clocks are this machine's.
        let told = |name: &str| name == "cpu.architecture" || name.starts_with("clock.");
        for (name, value) in environment.fields.iter().filter(|(name, _)| !told(name)) {
            let reason = value.reason().unwrap();
            assert!(!reason.is_empty(), "{name}");
            assert!(!reason.contains(tree.path().to_str().unwrap()), "{name}: {reason}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn limits_of_control_groups_are_the_tightest_of_either_version() {
    let v1 = "4:memory:/x/y\n2:cpu,cpuacct:/x\n0::/\n";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (
            v1,
            &[
                ("memory/x/y/memory.limit_in_bytes", "9223372036854771712"),
                ("memory/memory.limit_in_bytes", "4096"),
                ("cpu/x/cpu.cfs_quota_us", "-1"),
            ],
            "none",
            "4096.0",
        ),
        (
            v1,
            &[("cpu/x/cpu.cfs_quota_us", "50000"), ("cpu/x/cpu.cfs_period_us", "100000")],
            "0.5",
            "-",
        ),
        (
            "0::/a",
            &[("a/memory.max", "100"), ("memory.max", "50"), ("a/cpu.max", "0 0")],
            "-",
            "50.0",
        ),
        ("0::/../../a", &[("cpu.max", "max 100000")], "none", "-"),
        ("nonsense", &[], "-", "-"),
    ];
    for (groups, files, cpu, memory) in cases {
        let tree = TempDir::new().unwrap();
        write(tree.path(), &[("proc/self/cgroup", groups)]);
        for (path, text) in *files {
            write(tree.path(), &[(&format!("sys/fs/cgroup/{path}"), text)]);
        }
        let environment = read(tree.path());
        let text = |name: &str| environment.text(name).unwrap_or_else(|| "-".into());
        assert_eq!(text("cgroup.cpu_limit_cores"), *cpu, "{groups:?} {files:?}");
        assert_eq!(text("cgroup.memory_limit_bytes"), *memory, "{groups:?} {files:?}");
    }
}

#[test]
fn garbage_in_every_file_never_panics_and_is_never_a_value_of_zero() {
    let huge = "9".repeat(300);
    for garbage in ["", "\0", "-1", &huge, "x:y:z\n::::\n", "nan nan nan", "[", "]["] {
        let tree = TempDir::new().unwrap();
        machine(tree.path());
        spoil(tree.path(), garbage);
        let environment = read(tree.path());
        for name in ["memory.total_bytes", "cpu.threads", "cpu.cache_l2_bytes", "load.steal_ticks"]
        {
            if cfg!(target_os = "linux") {
                assert!(environment.fields[name].reason().is_some(), "{name} of {garbage:?}");
            }
        }
        serde_json::to_string(&environment).unwrap();
    }
}

fn spoil(folder: &Path, garbage: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { spoil(&path, garbage) } else { std::fs::write(path, garbage).unwrap() }
    }
}

#[test]
fn no_canary_planted_in_the_machine_comes_out() {
    let tree = TempDir::new().unwrap();
    machine(tree.path());
    write(
        tree.path(),
        &[
            ("proc/sys/kernel/hostname", "canaryhost\n"),
            ("etc/hostname", "canaryhost\n"),
            ("etc/machine-id", "canary0123\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-canaryHOST\n"),
            ("proc/version", "Linux version 6.1 (canaryuser@canaryhost)\n"),
            ("proc/cmdline", "root=UUID=canary0123\n"),
            ("proc/self/environ", "USER=canaryuser\0HOME=/home/canaryuser\0"),
            ("proc/self/cgroup", "0::/user.slice/canaryuser\n"),
            ("proc/self/maps", "7f00-7f01 r-xp 0 08:01 1 /home/canaryuser/libc.so.6\n"),
            ("proc/42/stat", "42 (canaryprocess) S 1"),
            ("proc/42/cmdline", "/home/canaryuser/program"),
            ("sys/class/dmi/id/product_serial", "canary0123\n"),
            ("sys/class/dmi/id/product_uuid", "canary0123\n"),
            ("sys/class/dmi/id/product_name", "CANARYHOST special\n"),
            ("sys/class/dmi/id/sys_vendor", "Example\n"),
            ("sys/class/net/eth0/address", "ca:na:ry:00:00:00\n"),
            ("sys/class/power_supply/BAT0/serial_number", "canary0123\n"),
            ("etc/os-release", "NAME=Linux\nVERSION_ID=1\nHOME_URL=canary\n"),
        ],
    );
    let watch = Duration::from_millis(1);
    let environment = environment(&EnvironmentOptions { root: Root::new(tree.path()), watch });
    let json = serde_json::to_string(&environment).unwrap().to_lowercase();
    assert!(!json.contains("canary"), "{json}");
    assert!(!json.contains("ca:na:ry"), "{json}");
}

#[test]
fn this_machine_answers_within_its_time() {
    let environment = environment(&EnvironmentOptions::default());
    for name in ["cpu.threads", "memory.total_bytes", "os.name", "os.kernel"] {
        assert!(environment.text(name).is_some(), "{name}: {:?}", environment.fields[name]);
    }
    if cfg!(target_os = "linux") {
        assert!(environment.text("load.other_cpu_percent").is_some());
        assert!(environment.text("cpu.affinity").is_some());
    }
}
