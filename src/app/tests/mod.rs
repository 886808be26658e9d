mod clock_jumps;
