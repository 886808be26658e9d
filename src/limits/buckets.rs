//! The buckets of a subject, with their leases where there is a store.

use super::bucket::Bucket;
use super::lease::BucketLease;
use super::terms::Terms;

/// Most subjects of rules that are per user have one or two.
#[derive(Debug)]
pub(super) enum Buckets {
    One(Bucket),
    Many(Box<[Bucket]>),
    Leased(Box<LeasedBuckets>),
}

/// As many leases as buckets.
#[derive(Debug)]
pub(super) struct LeasedBuckets {
    pub buckets: Box<[Bucket]>,
    pub leases: Box<[BucketLease]>,
    /// The link knows that it is in use, or that a call is urgent.
    pub is_in_use: bool,
    pub is_urgent: bool,
}

// === impl Buckets ===

impl Buckets {
    /// Full ones.
    pub fn new(terms: &Terms) -> Self {
        let buckets = terms.quotas.iter().map(|it| it.quota.new_bucket());
        Self::with(buckets.collect(), terms)
    }

    fn with(buckets: Box<[Bucket]>, terms: &Terms) -> Self {
        if terms.link.is_some() {
            let leases = terms.quotas.iter().map(|it| BucketLease::new(&it.quota));
            return Self::Leased(Box::new(LeasedBuckets {
                leases: leases.collect(),
                buckets,
                is_in_use: false,
                is_urgent: false,
            }));
        }
        match *buckets {
            [bucket] => Self::One(bucket),
            _ => Self::Many(buckets),
        }
    }

    /// Goes by other terms, whose quotas begin with those of before. A lease from another
    /// store is lost.
    pub fn reconfigured(self, before: &Terms, terms: &Terms, buckets: Box<[Bucket]>) -> Self {
        let mut new = Self::with(buckets, terms);
        if let (Self::Leased(old), Self::Leased(new)) = (self, &mut new)
            && terms.has_link_of(before)
        {
            let old_leases = old.leases.into_iter();
            let pairs = new.leases.iter_mut().zip(old_leases).zip(&terms.quotas);
            for ((lease, old), entry) in pairs {
                *lease = old;
                lease.adopt(&entry.quota);
            }
            new.is_in_use = old.is_in_use;
            new.is_urgent = old.is_urgent;
        }
        new
    }

    pub fn get(&self) -> &[Bucket] {
        match self {
            Self::One(bucket) => std::slice::from_ref(bucket),
            Self::Many(buckets) => buckets,
            Self::Leased(leased) => &leased.buckets,
        }
    }

    pub fn get_mut(&mut self) -> &mut [Bucket] {
        match self {
            Self::One(bucket) => std::slice::from_mut(bucket),
            Self::Many(buckets) => buckets,
            Self::Leased(leased) => &mut leased.buckets,
        }
    }

    /// `None` without a store.
    pub fn leased(&self) -> Option<&LeasedBuckets> {
        match self {
            Self::Leased(leased) => Some(leased),
            Self::One(_) | Self::Many(_) => None,
        }
    }

    pub fn leased_mut(&mut self) -> Option<&mut LeasedBuckets> {
        match self {
            Self::Leased(leased) => Some(leased),
            Self::One(_) | Self::Many(_) => None,
        }
    }
}
