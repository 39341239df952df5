//! What this machine is, and whether a process that said it runs here still does.

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System as Probe};

/// Cores, memory and identity of the machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub cores: usize,
    pub memory_bytes: u64,
    /// Tells one boot of one machine from every other, so that a process id means something.
    pub boot: String,
    /// For people: who holds a lease.
    pub host: String,
}

/// One process, unmistakably: ids are used again, starts are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub host: String,
    pub boot: String,
    pub pid: u32,
    pub started_s: u64,
}

/// What this process has used of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub resident_bytes: u64,
    pub cpu_ms: u64,
    pub started_s: u64,
}

impl Machine {
    pub fn this() -> Self {
        let mut probe = Probe::new();
        probe.refresh_memory();
        let host = Probe::host_name().unwrap_or_else(|| "localhost".to_owned());
        // A container's limit is what the process can really have.
        let memory_bytes = probe.cgroup_limits().map_or_else(|| probe.total_memory(), |c| c.total_memory);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes,
            boot: format!("{host}/{}", Probe::boot_time()),
            host,
        }
    }

    /// The running process itself.
    pub fn process(&self) -> Process {
        let pid = std::process::id();
        Process { host: self.host.clone(), boot: self.boot.clone(), pid, started_s: start_of(pid).unwrap_or(0) }
    }

    /// What the running process has used so far.
    pub fn usage(&self) -> Usage {
        let pid = Pid::from_u32(std::process::id());
        let mut probe = Probe::new();
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        probe.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        probe.process(pid).map_or_else(Usage::default, |p| Usage {
            resident_bytes: p.memory(),
            cpu_ms: p.accumulated_cpu_time(),
            started_s: p.start_time(),
        })
    }

    /// Whether a process is known to be gone: only one of this machine can be, from here.
    pub fn is_dead(&self, process: &Process) -> bool {
        process.host == self.host && (process.boot != self.boot || start_of(process.pid) != Some(process.started_s))
    }
}

fn start_of(pid: u32) -> Option<u64> {
    let pid = Pid::from_u32(pid);
    let mut probe = Probe::new();
    probe.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    // A killed process that nobody has waited for yet can do nothing any more.
    let process = probe.process(pid)?;
    (process.status() != sysinfo::ProcessStatus::Zombie).then(|| process.start_time())
}
