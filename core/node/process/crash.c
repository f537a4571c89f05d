/* SPDX-License-Identifier: MIT */
#include "node/process/crash.h"

#include "base/scope.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRASHES_ARE_SANITIZED 1 /* the sanitizer reports them itself */
#else
#define CRASHES_ARE_SANITIZED 0
#endif

enum { STACK_BYTES = 64 * 1024, FRAMES_MAX = 64, COMPONENTS_MAX = 64, LINE_BYTES = 512, BUILD_ID_MAX = 20 };

static const struct {
	int number;
	const char *name;
} deadly[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGFPE, "SIGFPE" },
	{ SIGILL, "SIGILL" },   { SIGABRT, "SIGABRT" },
};

static struct {
	const char *name;
	const void *map_start; /* of its library */
} components[COMPONENTS_MAX];
static _Atomic unsigned component_count;

/* ---- lines, without stdio ---- */

struct line {
	char text[LINE_BYTES];
	size_t size;
};

static void put(struct line *line, const char *text)
{
	while (*text != '\0' && line->size < sizeof(line->text) - 1)
		line->text[line->size++] = *text++;
}

static void put_number(struct line *line, uintptr_t number, unsigned base)
{
	char digits[32];
	size_t at = sizeof(digits) - 1;
	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	put(line, base == 16 ? "0x" : "");
	put(line, digits + at);
}

static void put_end(struct line *line)
{
	line->text[line->size++] = '\n';
	ssize_t ignored = write(STDERR_FILENO, line->text, line->size);
	(void)ignored;
	line->size = 0;
}

/* ---- modules ---- */

/* The build id of a mapped ELF file; its size, 0 when it has none. */
static size_t build_id(const struct dl_find_object *object, const unsigned char **id)
{
	const ElfW(Ehdr) *header = object->dlfo_map_start;
	const ElfW(Phdr) *segment =
		(const ElfW(Phdr) *)(const void *)((const char *)object->dlfo_map_start + header->e_phoff);
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_NOTE)
			continue;
		const char *at = (const char *)object->dlfo_link_map->l_addr + segment[i].p_vaddr;
		const char *end = at + segment[i].p_filesz;
		while (at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)at;
			const char *name = at + sizeof(*note);
			const char *content = name + (note->n_namesz + 3) / 4 * 4;
			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
				*id = (const unsigned char *)content;
				return note->n_descsz < BUILD_ID_MAX ? note->n_descsz : BUILD_ID_MAX;
			}
			at = content + (note->n_descsz + 3) / 4 * 4;
		}
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

static const char *component_at(const struct dl_find_object *object)
{
	for (unsigned i = 0; i < atomic_load(&component_count); i++) {
		if (components[i].map_start == object->dlfo_map_start)
			return components[i].name;
	}
	return NULL;
}

static void put_place(struct line *line, uintptr_t pc)
{
	struct dl_find_object object;
	const unsigned char *id = NULL;
	if (_dl_find_object((void *)pc, &object) != 0) { // NOLINT: an address is what it is
		put_number(line, pc, 16);
		put(line, " (no module)");
		return;
	}
	const char *name = base_name(object.dlfo_link_map->l_name);
	put(line, name[0] != '\0' ? name : "kvnode");
	put(line, "+");
	put_number(line, pc - object.dlfo_link_map->l_addr, 16);
	size_t size = build_id(&object, &id);
	put(line, size > 0 ? " (build id " : "");
	for (size_t i = 0; i < size; i++) {
		char byte[3] = { "0123456789abcdef"[id[i] >> 4], "0123456789abcdef"[id[i] & 15], '\0' };
		put(line, byte);
	}
	put(line, size > 0 ? ")" : "");
}

/* ---- the stack ---- */

struct trace {
	uintptr_t frames[FRAMES_MAX];
	unsigned count;
	uintptr_t from; /* frames before this one are the handler's own */
	bool found;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *argument)
{
	struct trace *trace = argument;
	int before = 0; /* a call returns behind itself: the call is what is looked for */
	uintptr_t pc = _Unwind_GetIPInfo(context, &before);
	trace->found = trace->found || pc == trace->from;
	if (trace->found && pc != 0 && trace->count < FRAMES_MAX)
		trace->frames[trace->count++] = before != 0 ? pc : pc - 1;
	return trace->count == FRAMES_MAX ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void registers(const ucontext_t *context, uintptr_t *pc, uintptr_t *caller)
{
#if defined(__x86_64__)
	*pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	*caller = *pc == 0 ? *(const uintptr_t *)context->uc_mcontext.gregs[REG_RSP] : 0; // NOLINT: the stack's top
#elif defined(__aarch64__)
	*pc = context->uc_mcontext.pc;
	*caller = *pc == 0 ? context->uc_mcontext.regs[30] : 0;
#else
#error "where does this processor keep its program counter?"
#endif
}

static void take_trace(struct trace *trace, const ucontext_t *context)
{
	uintptr_t caller = 0;
	registers(context, &trace->from, &caller);
	_Unwind_Backtrace(on_frame, trace);
	if (trace->count > 0)
		return;
	/* a jump to nowhere: there is no frame to begin with, but there is who jumped */
	trace->frames[trace->count++] = trace->from;
	if (caller != 0)
		trace->frames[trace->count++] = caller - 1;
}

static const char *guilty(const struct trace *trace)
{
	for (unsigned i = 0; i < trace->count; i++) {
		struct dl_find_object object;
		if (_dl_find_object((void *)trace->frames[i], &object) != 0) // NOLINT: an address is what it is
			continue;
		const char *name = component_at(&object);
		if (name != NULL)
			return name;
	}
	return NULL;
}

/* ---- the handler ---- */

static void put_headline(int signal_number, const siginfo_t *info, const struct trace *trace)
{
	struct line line = { .size = 0 };
	char thread[17] = "";
	const char *component = guilty(trace);
	put(&line, "kvnode: crashed by ");
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		if (deadly[i].number == signal_number)
			put(&line, deadly[i].name);
	}
	if (info->si_code > 0 && signal_number != SIGABRT) {
		put(&line, " (address ");
		put_number(&line, (uintptr_t)info->si_addr, 16);
		put(&line, ")");
	} else if (info->si_pid != getpid()) {
		put(&line, " (sent by process ");
		put_number(&line, (uintptr_t)info->si_pid, 10);
		put(&line, ")");
	}
	put(&line, component != NULL ? " in component '" : " in the runtime");
	put(&line, component != NULL ? component : "");
	put(&line, component != NULL ? "'" : "");
	prctl(PR_GET_NAME, thread);
	put(&line, ", thread '");
	put(&line, thread);
	put(&line, "', process ");
	put_number(&line, (uintptr_t)getpid(), 10);
	put_end(&line);
}

static void on_crash(int signal_number, siginfo_t *info, void *context)
{
	static atomic_flag begun = ATOMIC_FLAG_INIT;
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct trace trace = { .count = 0 };
	/* another thread has crashed too: the first one's report counts */
	while (atomic_flag_test_and_set(&begun))
		pause();
	/* a crash of the report itself ends the process */
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++)
		sigaction(deadly[i].number, &action, NULL);
	take_trace(&trace, context);
	put_headline(signal_number, info, &trace);
	for (unsigned i = 0; i < trace.count; i++) {
		struct line line = { .size = 0 };
		put(&line, i < 10 ? "  #" : " #");
		put_number(&line, i, 10);
		put(&line, "  ");
		put_place(&line, trace.frames[i]);
		put_end(&line);
	}
	/* a fault happens again on return, in its own place; a signal that was sent has to be sent again */
	if (info->si_code <= 0 || signal_number == SIGABRT)
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal_number);
}

/* ---- setting up ---- */

static pthread_key_t stack_key;
static bool has_key;

static void release_stack(void *stack)
{
	const stack_t none = { .ss_flags = SS_DISABLE };
	sigaltstack(&none, NULL);
	munmap(stack, STACK_BYTES);
}

void crash_guard_thread(void)
{
	stack_t stack = { .ss_size = STACK_BYTES };
	if (!has_key || pthread_getspecific(stack_key) != NULL)
		return;
	stack.ss_sp =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return; /* the thread's own stack has to do */
	if (sigaltstack(&stack, NULL) != 0 || pthread_setspecific(stack_key, stack.ss_sp) != 0)
		release_stack(stack.ss_sp);
}

void crash_add_component(const char *name, const void *address)
{
	struct dl_find_object object;
	unsigned count = atomic_load(&component_count);
	if (count == COMPONENTS_MAX || _dl_find_object((void *)(uintptr_t)address, &object) != 0)
		return;
	components[count].name = name;
	components[count].map_start = object.dlfo_map_start;
	atomic_store(&component_count, count + 1);
}

int crash_begin(struct error *err)
{
	struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	if (CRASHES_ARE_SANITIZED)
		return 0;
	int rc = pthread_key_create(&stack_key, release_stack);
	if (rc != 0)
		return error_system(err, rc, "cannot prepare for crashes");
	has_key = true;
	crash_guard_thread();
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		if (sigaction(deadly[i].number, &action, NULL) != 0)
			return error_system(err, errno, "cannot handle signal %d", deadly[i].number);
	}
	return 0;
}
