//! Limits of a streamed body: its size, and the time for which it is awaited.

use std::num::NonZeroU64;
use std::task::{Context, Poll};
use std::time::Duration;

use super::least_rate::LeastRate;
use crate::error_response::{self, ErrorResponse};
use crate::proxy::Limits;
use crate::proxy::body_timeouts::{BodyTimeouts, BodyTimer};

/// Limits of a streamed body.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadLimits {
    /// None for no limit.
    max_size: Option<u64>,
    idle_timeout: Duration,
    min_rate: Option<NonZeroU64>,
}

/// Timeouts of a streamed body, for the time in which it is read.
#[derive(Debug)]
pub(super) struct UploadTimer {
    idle: BodyTimer,
    rate: LeastRate,
}

impl UploadLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            max_size: limits.max_upload,
            idle_timeout: limits.body_idle_timeout,
            min_rate: limits.body_min_rate,
        }
    }

    pub(super) fn check_size(&self, size: u64) -> Result<(), ErrorResponse> {
        match self.max_size {
            Some(max) if size > max => Err(error_response::upload_too_large(max)),
            _ => Ok(()),
        }
    }
}

impl UploadTimer {
    pub(super) fn new(limits: UploadLimits) -> Self {
        let timeouts = BodyTimeouts {
            idle: limits.idle_timeout,
            first_event_by: None,
            deadline: None,
        };
        Self {
            idle: BodyTimer::new(timeouts, None),
            rate: LeastRate::new(limits.min_rate, limits.idle_timeout),
        }
    }

    pub(super) fn on_data(&mut self) {
        self.idle.on_data();
    }

    /// Until the body is polled again, it is not the client that is waited for.
    pub(super) fn pause(&mut self) {
        self.rate.pause();
    }

    /// To be polled whenever the body is pending, with the number of bytes received.
    pub(super) fn poll_late(
        &mut self,
        bytes: u64,
        context: &mut Context<'_>,
    ) -> Poll<ErrorResponse> {
        self.rate.resume();
        let is_late = self.idle.poll_expired(context).is_ready()
            || self.rate.poll_too_slow(bytes, context).is_ready();
        if is_late {
            return Poll::Ready(error_response::request_timeout());
        }
        Poll::Pending
    }
}
