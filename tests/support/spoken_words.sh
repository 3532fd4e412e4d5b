#!/bin/sh
# A speech program of tests: the samples of its sound are the words themselves, so that a test can read them.
# A WAV header of 8 kHz, 16 bits and one channel whose length is unknown, as programs write it to a pipe.
printf 'RIFF\377\377\377\177WAVEfmt \020\000\000\000\001\000\001\000\100\037\000\000\200\076\000\000\002\000\020\000data\377\377\377\177'
cat
printf '  '
