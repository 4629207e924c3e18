//! A study as jobs of Slurm.
