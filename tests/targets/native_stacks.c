/* Functions of machine code that call back into Python, for native_stacks.py. */

#include <poll.h>
#include <unistd.h>

#define PLAIN __attribute__((noinline, noclone, visibility("default")))

typedef long (*callback)(long);

static volatile long sink;

PLAIN long truth_leaf(long rounds)
{
	long total = 0;
	for (long i = 0; i < rounds * 100; i++)
		total += sink + i % 7;
	return total & 1;
}

PLAIN long truth_wait(long rounds)
{
	char byte;
	return read(0, &byte, 1) + (rounds & 0);
}

PLAIN long truth_doze(long rounds)
{
	return poll(0, 0, 20) + (rounds & 0);
}

PLAIN long truth_middle(callback call, long level)
{
	volatile long room[40];
	room[level % 40] = level;
	return call(level) + room[level % 40] - level;
}

PLAIN long truth_outer(callback call, long level)
{
	long result = truth_middle(call, level);
	sink = 0;
	return result + sink;
}
