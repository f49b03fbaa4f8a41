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

/* Nothing says how this is unwound. */
#ifdef __x86_64__
__asm__(".text\n.globl truth_bare\n.type truth_bare,@function\ntruth_bare:\n"
	"sub $40, %rsp\ncall truth_leaf@PLT\nadd $40, %rsp\nret\n"
	".size truth_bare, .-truth_bare\n");
#else
__asm__(".text\n.globl truth_bare\n.type truth_bare,@function\ntruth_bare:\n"
	"str x30, [sp, #-32]!\nbl truth_leaf\nldr x30, [sp], #32\nret\n"
	".size truth_bare, .-truth_bare\n");
#endif

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
