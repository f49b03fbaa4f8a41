/*
 * A 32-bit program without any library: says `ready` and sleeps. Compiled with
 * -m32 -nostdlib -static, which needs no 32-bit packages.
 */
static int call(int number, int a, const void *b, int c)
{
    int result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

void _start(void)
{
    call(4, 1, "ready\n", 6); /* write */
    for (;;)
        call(29, 0, 0, 0); /* pause */
}
