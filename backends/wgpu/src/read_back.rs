//! Waiting for a device and reading what it computed.

#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use yardstick_api::Error;

use crate::gpu::Gpu;
use crate::wait::answer;

/// A device that does not answer for so long is lost. Submissions are far shorter.
#[cfg(not(target_arch = "wasm32"))]
const PATIENCE: Duration = Duration::from_secs(100);

impl Gpu {
    /// Waits on this thread until a submission, or everything submitted, is done; never for ever.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn drive(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), Error> {
        let poll = wgpu::PollType::Wait { submission_index: submission, timeout: Some(PATIENCE) };
        match self.device.poll(poll) {
            Ok(_) => self.fault.check(),
            Err(error) => {
                self.fault.check()?;
                self.fault.lose(format!("no answer within {} s: {error}", PATIENCE.as_secs()));
                self.fault.check()
            }
        }
    }

    /// A browser drives the device by itself, and nothing waits for it but what is awaited.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn drive(&self, _: Option<wgpu::SubmissionIndex>) -> Result<(), Error> {
        self.fault.check()
    }

    /// Waits until a submission, or everything submitted, is done.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn wait(
        &self,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), Error> {
        self.drive(submission)
    }

    /// Waits until everything submitted is done.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn wait(&self, _: Option<wgpu::SubmissionIndex>) -> Result<(), Error> {
        let (told, done) = answer();
        self.queue.on_submitted_work_done(move || told.tell(()));
        done.await;
        self.fault.check()
    }

    /// Reads the first bytes of a buffer made for reading, once a submission, or everything submitted, is done.
    pub(crate) async fn read(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<Vec<u8>, Error> {
        let (told, outcome) = answer();
        buffer.slice(..bytes).map_async(wgpu::MapMode::Read, move |result| told.tell(result));
        let answer = match self.drive(submission) {
            // Another session's thread may have been the one to see it done, and be about to tell.
            Ok(()) => match outcome.await {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(Error::Device(format!("cannot read back: {error}"))),
                None => Err(Error::Device("cannot read back: no answer".into())),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = answer {
            buffer.unmap();
            return Err(error);
        }
        let view = buffer
            .slice(..bytes)
            .get_mapped_range()
            .map_err(|error| Error::Device(format!("cannot read back: {error}")))?;
        let read = view.to_vec();
        drop(view);
        buffer.unmap();
        Ok(read)
    }
}
