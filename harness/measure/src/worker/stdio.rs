//! Takes stdin and stdout away from everything but the protocol: a backend or a driver that prints must not be able
//! to break a line, nor one that reads to steal one.

use std::io::{Read, Write};

/// The protocol's two ends.
pub(super) type Ends = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// Moves the protocol to private descriptors; what was stdout becomes stderr, what was stdin becomes empty.
#[cfg(unix)]
pub(super) fn take() -> std::io::Result<Ends> {
    use std::fs::File;
    use std::os::fd::AsFd;
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok((Box::new(input), Box::new(output)))
}

/// Elsewhere the protocol shares stdio with whoever prints.
#[cfg(not(unix))]
pub(super) fn take() -> std::io::Result<Ends> {
    Ok((Box::new(std::io::stdin()), Box::new(std::io::stdout())))
}

/// Makes this process go when its parent goes, leave no core file, and be the one the kernel picks when memory runs
/// out. None of it is essential, so failures are ignored: the parent kills and classifies without it.
pub(super) fn behave_as_child() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{
            Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit,
        };
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        let _ = std::fs::write("/proc/self/oom_score_adj", "800");
    }
}
