"""The engine: proves responses, or says why it cannot. No I/O, no clock, no chance, no logging."""
