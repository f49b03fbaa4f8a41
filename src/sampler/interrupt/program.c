// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What the kernel runs in a timer interrupt of a thread of the profiled process.
//
// The thread cannot move meanwhile. If it is one that holds a GIL, or if all threads are
// sampled and its thread state is known, its frames are copied
// as they are, from the innermost outwards, into a ring buffer. Nothing is decoded here:
// where the few pointers are that have to be followed is told by the constants below,
// which are set before the program is loaded. Code objects that may be short-lived are copied
// too, with their names.
//
// Any address may be wrong, and what lies there may be anything: reads that fail end the
// walk, and every loop is bounded. Nothing of the process is written.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

// Helpers of the kernel, by number (include/uapi/linux/bpf.h).
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   u64 flags) = (void *)2;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_prandom_u32)(void) = (void *)7;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_tail_call)(void *context, void *programs, u32 index) = (void *)12;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_get_ns_current_pid_tgid)(u64 device, u64 inode, void *ids,
					   u32 size) = (void *)120;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void (*bpf_ringbuf_discard)(void *record, u64 flags) = (void *)133;
static u64 (*bpf_ringbuf_query)(void *ring, u64 what) = (void *)134;
// From Linux 5.11 and 5.15 on, with the kernel's own types: called only if `kernel_entries`.
static void *(*bpf_get_current_task_btf)(void) = (void *)158;
static void *(*bpf_task_pt_regs)(void *task) = (void *)175;

#define UNREAD 0 // BPF_RB_AVAIL_DATA: bytes that wait to be read

#define NO_WAKEUP 1
#define FORCE_WAKEUP 2

// The process, and the namespace in which it has this number.
const volatile u32 process;
const volatile u64 namespace_device;
const volatile u64 namespace_inode;

// Whether each thread is sampled by itself, and of these only those that are attached.
const volatile u32 all_threads;
const volatile u32 only_attached;

// The timer's period as a part of the interval between samples, in units of 1 / WHOLE;
// 0 if they are the same.
const volatile u32 jitter_step;

// A thread state: where its innermost frame is, and which thread it belongs to.
const volatile u32 through_c_frame; // 3.11 and 3.12
const volatile u32 top;             // of the frame; of the newest C frame, if through one
const volatile u32 frames_top;
const volatile u32 frames_limit;
const volatile u32 c_frame_current;
const volatile u32 c_frame_previous;
const volatile u32 has_native_id;
const volatile u32 thread_id; // its id, a pointer to the C library's record
const volatile u32 native_id; // the kernel's, if it has_native_id
const volatile u32 record_id; // the kernel's in the C library's record, if it has not

// A GIL: a variable that holds the thread state, or a struct.
const volatile u32 gil_is_struct;
const volatile u32 gil_holder;
const volatile u32 gil_locked;
const volatile u32 gil_places; // how many there can be, at most GILS_MAX

// Or none: a thread state tells whether its thread is attached, and in the places of GILS are
// the heads of the interpreters' lists of thread states.
const volatile u32 is_free_threaded;
const volatile u32 thread_state;
const volatile u32 is_attached; // what that is then
const volatile u32 thread_next;

// A frame.
const volatile u32 frame_size;
const volatile u32 frame_caller;
const volatile u32 frame_code;
const volatile u64 frame_code_tag;
const volatile u32 has_shims;
const volatile u32 frame_owner;
const volatile u32 first_shim_owner;
const volatile u32 has_copies; // of bytecode: free-threaded builds from 3.14 on
const volatile u32 frame_copy; // which of them a frame executes

// A code object, and where it points to its name, its file, its bytecode and its line table.
const volatile u32 code_size;
const volatile u32 code_texts[3];
const volatile u32 code_table;
const volatile u32 code_copies;  // the array of copies of the bytecode
const volatile u32 copies_first; // where in it the addresses begin

// Of a chunk of frames, each of which takes 8 bytes more than its size.
const volatile u32 chunk_size;

// Whether registers and stack are copied as well; also those of a thread that was in a system
// call or another entry of the kernel.
const volatile u32 native;
const volatile u32 kernel_entries;

#define GILS_MAX 32
#define OUTCOMES_MAX 8
#define NEWEST 24 // of so many threads it is looked whether one has just begun
#define COPIES_MAX (1 << 16)
#define CHUNKS 32 // as many as there may be tail calls, but for those of `copy_stack`
#define CHUNK_FRAMES 32
#define TRUSTED_BITS 16
#define NOTED_SLOTS 256
#define CODE_MAX 256
#define TEXT_SIZE 256
#define TABLE_SIZE 1088
#define LEAST_SIZE 64
#define MANY_UNREAD (1 << 20) // a quarter of the smallest ring
#define PAGE 4096
#define STACK_PAGES_MAX 256
#define WHOLE (1 << 24)
#define NO_GIL 0xffffffff

// A sample that is being taken.
struct sample {
	u64 time; // with the processor, tells a sample from all others
	u64 thread, id;
	u64 frame; // that is next
	// The newest C frame, its current frame, the C frame before, the current frame of
	// that; frames_top and frames_limit. Or only, in place of the second, the top frame.
	u64 words[6];
	u32 gil, own, chunks, has_fault, codes;
};

// Where a thread is in the present interval, and where its sample is due, in units of
// 1 / WHOLE.
struct phase {
	u32 position, due;
};

struct map {
	u32 type, key_size, value_size, max_entries, flags, id, pinning;
};

#define ARRAY 2
#define PROG_ARRAY 3
#define PERCPU_ARRAY 6
#define LRU_HASH 9
#define RINGBUF 27
#define MAP(name, kind, key, value, entries) \
	struct map SECTION("maps") name = {   \
		.type = kind, .key_size = key, .value_size = value, .max_entries = entries}

// Words that user space has mapped, see words.rs.
#define MMAPABLE (1 << 10)
#define WORDS(name, entries)            \
	struct map SECTION("maps") name = { \
		.type = ARRAY, .key_size = 4, .value_size = 8, .max_entries = entries, .flags = MMAPABLE}

MAP(RING, RINGBUF, 0, 0, 1 << 22); // or as many bytes as the loader says
// Addresses of GILs; 0 where there is none.
WORDS(GILS, GILS_MAX);
// How many interrupts met a thread that held the GIL in this place.
WORDS(HELD, GILS_MAX);
// How many interrupts came to what, by `enum outcome`.
WORDS(OUTCOMES, OUTCOMES_MAX);
// Threads that have been interrupted lately.
MAP(SEEN, LRU_HASH, 4, sizeof(struct phase), 1 << 15);
// Thread states of threads, where all are sampled.
MAP(STATES, LRU_HASH, 4, 8, 1 << 15);
// Code objects that are trusted to stay, each in the place that its address says.
WORDS(TRUSTED, 1 << TRUSTED_BITS);
// Code objects that were copied for a sample, so that each is copied once.
MAP(NOTED, PERCPU_ARRAY, 4, 16, NOTED_SLOTS);
// How many pages of the stack are copied.
WORDS(STACK_PAGES, 1);
// `copy_frames` and `copy_stack`, and the sample that they are at.
MAP(PROGRAMS, PROG_ARRAY, 4, 4, 2);
MAP(SAMPLE, PERCPU_ARRAY, 4, sizeof(struct sample), 1);

enum program { COPY_FRAMES, COPY_STACK };

enum outcome {
	INTERRUPTS,
	OTHERS, // of a thread that is not sampled
	FULL,   // no room in the ring buffer
};

// In the order in which a sample has them: code objects follow the frames that run them.
enum kind { CHUNK = 1, CODE = 2, END = 3, REGISTERS = 4, STACK = 5 };

struct chunk {
	u32 kind, cpu;
	u64 time;
	u64 thread, id;
	u32 gil, frames;
	u32 own, unused;
	u64 words[6];
	u8 data[]; // addresses and copies of frames
};

struct end {
	u32 kind, cpu;
	u64 time;
	u64 next; // the frame that would follow, if there is one
	u32 has_fault, lacks_codes;
};

// The beginning of an object.
struct text {
	u64 address, size;
	u8 bytes[TEXT_SIZE];
};

struct table {
	u64 address, size;
	u8 bytes[TABLE_SIZE];
};

struct code {
	u32 kind, cpu;
	u64 time;
	u64 address;
	u64 copy_index, copy; // where the copy of the bytecode begins that its frame executes
	u8 bytes[CODE_MAX];
	struct text texts[3];
	struct table table;
};

// `struct user_pt_regs` of include/uapi/asm/ptrace.h for aarch64, `struct pt_regs` of
// arch/x86/include/uapi/asm/ptrace.h for x86-64; for the kernel's own registers at their head.
#ifdef ARCH_AARCH64
#define REGISTERS_MAX 34
#define STACK_POINTER 31
#define MODE 33
#define IS_USERS(mode) (((mode) & 15) == 0)
#else
#define REGISTERS_MAX 21
#define STACK_POINTER 19
#define MODE 17
#define IS_USERS(mode) (((mode) & 3) == 3)
#endif

struct registers {
	u32 kind, cpu;
	u64 time;
	u64 words[REGISTERS_MAX];
};

struct stack {
	u32 kind, cpu;
	u64 time;
	u64 address;
	u8 bytes[PAGE];
};

// As in record.rs.
_Static_assert(__builtin_offsetof(struct chunk, data) == 96, "CHUNK_HEAD");
_Static_assert(__builtin_offsetof(struct code, bytes) == 40, "the head of CODE");
_Static_assert(sizeof(struct code) == 40 + CODE_MAX + 3 * (16 + TEXT_SIZE) + 16 + TABLE_SIZE, "CODE");
_Static_assert(sizeof(struct end) == 32, "END");
_Static_assert(__builtin_offsetof(struct registers, words) == 16, "the head of REGISTERS");
_Static_assert(__builtin_offsetof(struct stack, bytes) == 24, "the head of STACK");

struct ids {
	u32 thread, process;
};

struct noted {
	u64 time, address;
};

char SECTION("license") LICENSE[] = "Dual MIT/GPL";

INLINE void add_one(void *map, u32 key)
{
	u64 *count = bpf_map_lookup_elem(map, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
}

INLINE int read(void *to, u32 size, u64 address)
{
	return bpf_probe_read_user(to, size, (const void *)address) != 0;
}

// A word; 0 if it cannot be read, which is noted.
INLINE u64 word(u64 address, u32 *has_fault)
{
	u64 value = 0;
	if (read(&value, 8, address))
		*has_fault = 1;
	return value;
}

// Whether a thread state belongs to the thread that is interrupted.
INLINE int is_own(u64 state, u32 own)
{
	u32 has_fault = 0, native = 0;
	if (has_native_id)
		return word(state + native_id, &has_fault) == own;
	read(&native, 4, word(state + thread_id, &has_fault) + record_id);
	return native == own;
}

// The state of the interrupted thread, if it holds a GIL; 0 if not.
INLINE u64 holder(u32 own, u32 *place)
{
	for (u32 i = 0; i < GILS_MAX && i < gil_places; i++) {
		u32 key = i;
		u64 *gil = bpf_map_lookup_elem(&GILS, &key);
		if (!gil)
			break;
		u64 address = *gil;
		if (!address)
			continue;
		if (gil_is_struct) {
			u32 locked = 0;
			read(&locked, 4, address + gil_locked);
			if (locked != 1)
				continue;
			address += gil_holder;
		}
		u32 has_fault = 0;
		u64 state = word(address, &has_fault);
		if (state && is_own(state, own)) {
			*place = i;
			return state;
		}
	}
	return 0;
}

// Copies the beginning of an object. Returns how much of it that is.
INLINE u64 copy(u8 *to, u32 size, u64 address)
{
	if (!read(to, size, address))
		return size;
	// It may lie near the end of what is mapped.
	return read(to, LEAST_SIZE, address) ? 0 : LEAST_SIZE;
}

// Copies what a code object says of itself, unless it is trusted to stay or has been
// copied for this sample. What it came to, as bits.
#define IS_COPIED 1
#define IS_LACKING 2
INLINE u32 note_code(u64 code, u32 owner, u32 copy_index, u64 time)
{
	if (has_shims && owner >= first_shim_owner)
		return 0;
	u64 hash = (code >> 4) * 0x9e3779b97f4a7c15ULL;
	u32 place = hash >> (64 - TRUSTED_BITS);
	u64 *trusted = bpf_map_lookup_elem(&TRUSTED, &place);
	if (trusted && *trusted == code)
		return 0;
	place &= NOTED_SLOTS - 1;
	struct noted *noted = bpf_map_lookup_elem(&NOTED, &place);
	if (!noted)
		return IS_LACKING;
	if (noted->time == time && noted->address == code)
		return IS_COPIED;
	struct code *record = bpf_ringbuf_reserve(&RING, sizeof(*record), 0);
	if (!record)
		return IS_LACKING;
	record->kind = CODE;
	record->cpu = bpf_get_smp_processor_id();
	record->time = time;
	record->address = code;
	u32 size = code_size, has_fault = 0;
	record->copy_index = copy_index;
	record->copy = 0;
	if (copy_index && copy_index < COPIES_MAX) {
		u64 array = word(code + code_copies, &has_fault);
		record->copy = word(array + copies_first + 8 * (u64)copy_index, &has_fault);
	}
	if (size > CODE_MAX || read(record->bytes, size, code)) {
		bpf_ringbuf_discard(record, NO_WAKEUP);
		return IS_LACKING;
	}
	// What cannot be found cannot be copied either.
	for (int i = 0; i < 3; i++) {
		struct text *text = &record->texts[i];
		text->address = word(code + code_texts[i], &has_fault);
		text->size = copy(text->bytes, TEXT_SIZE, text->address);
	}
	struct table *table = &record->table;
	table->address = word(code + code_table, &has_fault);
	table->size = copy(table->bytes, TABLE_SIZE, table->address);
	bpf_ringbuf_submit(record, NO_WAKEUP);
	noted->time = time;
	noted->address = code;
	return IS_COPIED;
}

// Copies the next frames of the sample.
SECTION("perf_event") int copy_frames(void *context)
{
	u32 first = 0, frames = 0;
	struct sample *sample = bpf_map_lookup_elem(&SAMPLE, &first);
	if (!sample)
		return 0;
	struct chunk *chunk = bpf_ringbuf_reserve(&RING, chunk_size, 0);
	if (!chunk) {
		add_one(&OUTCOMES, FULL);
		return 0;
	}
	u64 frame = sample->frame;
	for (u32 i = 0; i < CHUNK_FRAMES && frame; i++) {
		u8 *to = chunk->data + i * (8 + frame_size);
		*(u64 *)to = frame;
		to += 8;
		if (read(to, frame_size, frame)) {
			sample->has_fault = 1;
			break;
		}
		u64 code = *(u64 *)(to + frame_code) & ~frame_code_tag;
		u32 copy_index = has_copies ? *(u32 *)(to + frame_copy) : 0;
		sample->codes |= note_code(code, to[frame_owner], copy_index, sample->time);
		frame = *(u64 *)(to + frame_caller);
		frames = i + 1;
	}
	chunk->kind = CHUNK;
	chunk->cpu = bpf_get_smp_processor_id();
	chunk->time = sample->time;
	chunk->thread = sample->thread;
	chunk->id = sample->id;
	chunk->gil = sample->gil;
	chunk->own = sample->own;
	chunk->unused = 0;
	chunk->frames = frames;
	__builtin_memcpy(chunk->words, sample->words, sizeof(chunk->words));
	bpf_ringbuf_submit(chunk, NO_WAKEUP);
	sample->frame = frame;
	sample->chunks++;
	if (frame && !sample->has_fault && sample->chunks < CHUNKS)
		bpf_tail_call(context, &PROGRAMS, COPY_FRAMES);
	struct end *end = bpf_ringbuf_reserve(&RING, sizeof(*end), 0);
	if (!end) {
		add_one(&OUTCOMES, FULL);
		return 0;
	}
	end->kind = END;
	end->cpu = bpf_get_smp_processor_id();
	end->time = sample->time;
	end->next = frame;
	end->has_fault = sample->has_fault;
	end->lacks_codes = sample->codes & IS_LACKING;
	int is_urgent = sample->codes & IS_COPIED || bpf_ringbuf_query(&RING, UNREAD) > MANY_UNREAD;
	bpf_ringbuf_submit(end, is_urgent ? FORCE_WAKEUP : NO_WAKEUP);
	return 0;
}

// The registers of the thread as it is in its own code. Where it has entered the kernel, these
// are what it entered it with.
INLINE int copy_registers(u64 *context, u64 *words)
{
	for (int i = 0; i < REGISTERS_MAX; i++)
		words[i] = context[i];
	if (IS_USERS(words[MODE]))
		return 1;
	if (!kernel_entries)
		return 0;
	void *saved = bpf_task_pt_regs(bpf_get_current_task_btf());
	return !bpf_probe_read_kernel(words, 8 * REGISTERS_MAX, saved) && IS_USERS(words[MODE]);
}

// Copies registers and stack of the thread, then its frames.
SECTION("perf_event") int copy_stack(void *context)
{
	u32 first = 0;
	u64 pages = 0, page = 0;
	struct sample *sample = bpf_map_lookup_elem(&SAMPLE, &first);
	u64 *most = bpf_map_lookup_elem(&STACK_PAGES, &first);
	if (!sample || !most)
		return 0;
	struct registers *registers = bpf_ringbuf_reserve(&RING, sizeof(*registers), 0);
	if (registers) {
		registers->kind = REGISTERS;
		registers->cpu = bpf_get_smp_processor_id();
		registers->time = sample->time;
		if (copy_registers(context, registers->words)) {
			pages = *most;
			page = registers->words[STACK_POINTER] & ~(u64)(PAGE - 1);
			bpf_ringbuf_submit(registers, NO_WAKEUP);
		} else {
			bpf_ringbuf_discard(registers, NO_WAKEUP);
		}
	}
	for (u32 i = 0; i < STACK_PAGES_MAX && i < pages; i++) {
		struct stack *stack = bpf_ringbuf_reserve(&RING, sizeof(*stack), 0);
		if (!stack)
			break;
		if (read(stack->bytes, PAGE, page)) {
			bpf_ringbuf_discard(stack, NO_WAKEUP);
			break;
		}
		stack->kind = STACK;
		stack->cpu = bpf_get_smp_processor_id();
		stack->time = sample->time;
		stack->address = page;
		bpf_ringbuf_submit(stack, NO_WAKEUP);
		page += PAGE;
	}
	bpf_tail_call(context, &PROGRAMS, COPY_FRAMES);
	return 0;
}

// Finds the innermost frame of a thread.
INLINE void begin(struct sample *sample, u64 state, u32 own, u32 gil)
{
	u32 has_fault = 0;
	u64 start = word(state + top, &has_fault);
	u64 frame = start;
	__builtin_memset(sample->words, 0, sizeof(sample->words));
	if (through_c_frame) {
		sample->words[0] = start;
		frame = word(start + c_frame_current, &has_fault);
	}
	sample->words[1] = frame;
	if (through_c_frame && frame) {
		sample->words[2] = word(start + c_frame_previous, &has_fault);
		sample->words[3] = word(sample->words[2] + c_frame_current, &has_fault);
		sample->words[4] = word(state + frames_top, &has_fault);
		sample->words[5] = word(state + frames_limit, &has_fault);
	}
	sample->time = bpf_ktime_get_ns();
	sample->thread = state;
	sample->id = word(state + thread_id, &has_fault);
	sample->frame = frame;
	sample->gil = gil;
	sample->own = own;
	sample->chunks = 0;
	sample->has_fault = has_fault;
	sample->codes = 0;
}

// Whether a sample of the thread is due. With jitter the timer ticks several times in an
// interval, and one of these ticks is chosen for each. The timer's period does not divide
// the interval, so that every moment of it has its turn. A thread that has just begun is
// somewhere in an interval: however short it is, it has the samples that it ought to have.
INLINE int is_due(u32 own)
{
	struct phase *known = bpf_map_lookup_elem(&SEEN, &own);
	struct phase now = {0, 0};
	if (!jitter_step) {
		if (!known)
			bpf_map_update_elem(&SEEN, &own, &now, 0);
		return 1;
	}
	if (known) {
		now = *known;
	} else {
		now.position = bpf_get_prandom_u32() % WHOLE;
		now.due = bpf_get_prandom_u32() % WHOLE;
	}
	u32 next = now.position + jitter_step;
	int is_due = now.position <= now.due && now.due < next;
	if (next >= WHOLE) {
		next -= WHOLE;
		now.due = bpf_get_prandom_u32() % WHOLE;
		if (now.due < next) {
			// It may be due now; if one was already, at the next tick.
			if (is_due)
				now.due = next;
			is_due = 1;
		}
	}
	now.position = next;
	if (known)
		*known = now;
	else
		bpf_map_update_elem(&SEEN, &own, &now, 0);
	return is_due;
}

// The state of a thread that has just begun, so that this program has not been told it: it is
// one of the newest, which are first in their lists. 0 if there is none.
INLINE u64 newest(u32 own)
{
	u32 has_fault = 0, key = 0;
	u64 state = 0;
	for (u32 i = 0; i < NEWEST; i++) {
		if (!state) {
			u64 *head = key < GILS_MAX ? bpf_map_lookup_elem(&GILS, &key) : 0;
			key++;
			if (!head || !*head)
				return 0;
			state = word(*head, &has_fault);
			continue;
		}
		if (is_own(state, own))
			return state;
		state = word(state + thread_next, &has_fault);
	}
	return 0;
}

// The same where there is no GIL.
INLINE u64 free_state_of(u32 own, u32 *gil)
{
	u64 *known = bpf_map_lookup_elem(&STATES, &own);
	u64 state = known ? *known : 0;
	if (!state || !is_own(state, own)) {
		state = newest(own);
		if (!state)
			return 0;
		bpf_map_update_elem(&STATES, &own, &state, 0);
	}
	u32 now = 0;
	read(&now, 4, state + thread_state);
	*gil = now == is_attached ? 0 : NO_GIL;
	return only_attached && now != is_attached ? 0 : state;
}

// The state of the interrupted thread, if it is to be sampled; 0 if not.
INLINE u64 state_of(u32 own, u32 *gil)
{
	if (is_free_threaded)
		return free_state_of(own, gil);
	u64 state = holder(own, gil);
	if (state)
		add_one(&HELD, *gil);
	if (!all_threads)
		return state;
	u64 *known = bpf_map_lookup_elem(&STATES, &own);
	if (state) {
		if (!known || *known != state)
			bpf_map_update_elem(&STATES, &own, &state, 0);
		return state;
	}
	*gil = NO_GIL;
	state = known ? *known : 0;
	// It may be another thread's by now.
	return state && is_own(state, own) ? state : 0;
}

SECTION("perf_event") int on_interrupt(void *context)
{
	struct ids own = {};
	u32 gil = 0, first = 0;
	if (bpf_get_ns_current_pid_tgid(namespace_device, namespace_inode, &own, sizeof(own)) ||
	    own.process != process)
		return 0;
	struct sample *sample = bpf_map_lookup_elem(&SAMPLE, &first);
	if (!sample || !is_due(own.thread))
		return 0;
	add_one(&OUTCOMES, INTERRUPTS);
	u64 state = state_of(own.thread, &gil);
	if (!state) {
		add_one(&OUTCOMES, OTHERS);
		return 0;
	}
	begin(sample, state, own.thread, gil);
	bpf_tail_call(context, &PROGRAMS, native ? COPY_STACK : COPY_FRAMES);
	return 0;
}
