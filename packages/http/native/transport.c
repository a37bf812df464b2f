/*
 * Reads and writes many sockets for one call of JavaScript: see docs/decisions/0005-native-transport.md.
 *
 * A transport watches sockets in an epoll set of its own, which the event loop watches as one descriptor. What is readable is read
 * into one buffer and told to JavaScript in one call, as rows of numbers; what JavaScript has to write lies in another buffer and
 * is sent in one call. The sockets stay the property of Node's handles: nothing is opened, shut down or closed here, and a
 * descriptor is forgotten (`detach`) before its handle closes it.
 *
 * Nothing of the caller's numbers is trusted: slots, generations, offsets and lengths are checked at each use. A slot's generation
 * differs for each socket it ever had, so that neither an event nor a row can meet the socket that came after.
 */
#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define MAX_EVENTS 512
/* Of one call of the event loop: 32,768 sockets; then its other work has its turn. */
#define MAX_ROUNDS 64
/* Less than this left in the input buffer: what is there is told before more is read. */
#define MIN_READ_BYTES 16384
#define MAX_SLOTS 1048576
#define ROW 4
/* EPOLLERR and EPOLLHUP are always told. */
#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

typedef struct {
  int fd; /* -1: nobody's */
  int32_t generation;
  bool reading;    /* JavaScript wants what comes */
  bool registered; /* in the epoll set */
  uint32_t stalled; /* the last flush in which something of it was not sent whole */
} slot_t;

typedef struct {
  void *data;
  size_t length; /* in elements */
  napi_ref keeper;
} memory_t;

typedef struct {
  napi_env env;
  napi_async_context async_context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback;
  napi_ref receiver;
  uv_poll_t poll;
  int epoll_fd;
  bool closing;
  slot_t *slots;
  uint32_t slot_count;
  uint32_t reading_count;
  uint32_t flush_count;
  size_t read_bytes; /* the most of one read */
  memory_t input, input_rows, output, output_rows;
  uint32_t row_count;
  size_t filled;
  struct epoll_event events[MAX_EVENTS];
} transport_t;

/* ---- reading ---- */

static slot_t *slot_of(transport_t *transport, uint32_t number, int32_t generation) {
  if (number >= transport->slot_count) return NULL;
  slot_t *slot = &transport->slots[number];
  return slot->fd >= 0 && slot->generation == generation ? slot : NULL;
}

static int watch(transport_t *transport, uint32_t number, uint32_t events) {
  slot_t *slot = &transport->slots[number];
  struct epoll_event event = {
      .events = events,
      .data.u64 = ((uint64_t)(uint32_t)slot->generation << 32) | number,
  };
  int operation = slot->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(transport->epoll_fd, operation, slot->fd, &event) != 0) return -errno;
  slot->registered = true;
  return 0;
}

static void add_row(transport_t *transport, uint32_t number, int32_t length) {
  int32_t *row = (int32_t *)transport->input_rows.data + (size_t)transport->row_count * ROW;
  row[0] = (int32_t)number;
  row[1] = transport->slots[number].generation;
  row[2] = (int32_t)transport->filled;
  row[3] = length;
  transport->row_count++;
  if (length > 0) transport->filled += (size_t)length;
}

static bool has_room(const transport_t *transport) {
  return transport->input.length - transport->filled >= MIN_READ_BYTES &&
         ((size_t)transport->row_count + 1) * ROW <= transport->input_rows.length;
}

static void read_slot(transport_t *transport, uint32_t number, uint32_t events) {
  slot_t *slot = &transport->slots[number];
  size_t room = transport->input.length - transport->filled;
  size_t wanted = room < transport->read_bytes ? room : transport->read_bytes;
  uint8_t *at = (uint8_t *)transport->input.data + transport->filled;
  ssize_t got;
  do got = recv(slot->fd, at, wanted, MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) add_row(transport, number, -errno);
    return;
  }
  /* The set tells only of what is new: where more is known to wait, it has to be asked again. */
  bool more = (size_t)got == wanted || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (got > 0 && more && watch(transport, number, READ_EVENTS) != 0) {
    add_row(transport, number, -errno);
    return;
  }
  add_row(transport, number, (int32_t)got);
}

/* One call of JavaScript for all rows; false when there is no going on. */
static bool deliver(transport_t *transport) {
  if (transport->row_count == 0) return true;
  uint32_t rows = transport->row_count;
  transport->row_count = 0;
  transport->filled = 0;
  napi_env env = transport->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
  napi_value callback, receiver, count;
  napi_status status = napi_generic_failure;
  if (napi_get_reference_value(env, transport->callback, &callback) == napi_ok &&
      napi_get_reference_value(env, transport->receiver, &receiver) == napi_ok &&
      napi_create_uint32(env, rows, &count) == napi_ok) {
    status = napi_make_callback(env, transport->async_context, receiver, callback, 1, &count, NULL);
  }
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_fatal_exception(env, error);
      status = napi_ok;
    }
  }
  napi_close_handle_scope(env, scope);
  return status == napi_ok && !transport->closing;
}

static void on_readable(uv_poll_t *poll, int poll_status, int poll_events) {
  transport_t *transport = poll->data;
  (void)poll_status;
  (void)poll_events;
  for (int round = 0; round < MAX_ROUNDS; round++) {
    int count = epoll_wait(transport->epoll_fd, transport->events, MAX_EVENTS, 0);
    if (count < 0 && errno == EINTR) continue;
    for (int i = 0; i < count; i++) {
      uint64_t data = transport->events[i].data.u64;
      uint32_t number = (uint32_t)data;
      if (!has_room(transport) && !deliver(transport)) return;
      /* After the call above: whoever was closed in it is not read. */
      slot_t *slot = slot_of(transport, number, (int32_t)(uint32_t)(data >> 32));
      if (slot == NULL) continue;
      if (slot->reading) read_slot(transport, number, transport->events[i].events);
      /* Not to be woken by each segment that comes while nobody wants it. */
      else watch(transport, number, EPOLLET);
    }
    if (!deliver(transport)) return;
    if (count < MAX_EVENTS) return;
  }
}

/* ---- what JavaScript calls ---- */

static napi_value number_value(napi_env env, int32_t number) {
  napi_value value = NULL;
  napi_create_int32(env, number, &value);
  return value;
}

/* The transport and up to three numbers; NULL with an exception pending when they are none. */
static transport_t *called_with(napi_env env, napi_callback_info info, size_t wanted, int32_t *numbers) {
  napi_value values[3];
  size_t count = 3;
  void *data = NULL;
  bool fits = napi_get_cb_info(env, info, &count, values, NULL, &data) == napi_ok && count >= wanted;
  for (size_t i = 0; fits && i < wanted; i++) {
    fits = napi_get_value_int32(env, values[i], &numbers[i]) == napi_ok;
  }
  if (fits) return data;
  napi_throw_type_error(env, NULL, "The transport takes numbers");
  return NULL;
}

static bool grow_to(transport_t *transport, uint32_t number) {
  if (number < transport->slot_count) return true;
  if (number >= MAX_SLOTS) return false;
  uint32_t count = transport->slot_count == 0 ? 256 : transport->slot_count;
  while (count <= number) count *= 2;
  slot_t *slots = realloc(transport->slots, (size_t)count * sizeof(slot_t));
  if (slots == NULL) return false;
  for (uint32_t i = transport->slot_count; i < count; i++) slots[i] = (slot_t){.fd = -1};
  transport->slots = slots;
  transport->slot_count = count;
  return true;
}

/* attach(slot, generation, fd): 0, or an error's negative number. Nothing is read before `setReading`. */
static napi_value attach(napi_env env, napi_callback_info info) {
  int32_t given[3];
  transport_t *transport = called_with(env, info, 3, given);
  if (transport == NULL) return NULL;
  if (given[0] < 0 || given[2] < 0) return number_value(env, -EINVAL);
  uint32_t number = (uint32_t)given[0];
  if (!grow_to(transport, number)) return number_value(env, -ENOMEM);
  slot_t *slot = &transport->slots[number];
  if (slot->fd >= 0) return number_value(env, -EEXIST);
  *slot = (slot_t){.fd = given[2], .generation = given[1]};
  return number_value(env, 0);
}

/* An event loop ends when nothing more can come: sockets that are read keep it, as Node's own do. */
static void count_reading(transport_t *transport, slot_t *slot, bool reading) {
  if (slot->reading == reading) return;
  slot->reading = reading;
  transport->reading_count += reading ? 1 : -1;
  if (transport->reading_count == 0) uv_unref((uv_handle_t *)&transport->poll);
  else uv_ref((uv_handle_t *)&transport->poll);
}

/* setReading(slot, generation, 0 or 1): 0, or an error's negative number. */
static napi_value set_reading(napi_env env, napi_callback_info info) {
  int32_t given[3];
  transport_t *transport = called_with(env, info, 3, given);
  if (transport == NULL) return NULL;
  slot_t *slot = slot_of(transport, (uint32_t)given[0], given[1]);
  if (slot == NULL) return number_value(env, -EBADF);
  bool reading = given[2] != 0;
  if (slot->reading == reading) return number_value(env, 0);
  int status = reading ? watch(transport, (uint32_t)given[0], READ_EVENTS) : 0;
  if (status == 0) count_reading(transport, slot, reading);
  return number_value(env, status);
}

/* detach(slot, generation): the descriptor is not touched any more. */
static napi_value detach(napi_env env, napi_callback_info info) {
  int32_t given[2];
  transport_t *transport = called_with(env, info, 2, given);
  if (transport == NULL) return NULL;
  slot_t *slot = slot_of(transport, (uint32_t)given[0], given[1]);
  if (slot == NULL) return number_value(env, -EBADF);
  count_reading(transport, slot, false);
  if (slot->registered) epoll_ctl(transport->epoll_fd, EPOLL_CTL_DEL, slot->fd, NULL);
  *slot = (slot_t){.fd = -1};
  return number_value(env, 0);
}

/* What of a row was sent, or an error's negative number. */
static int32_t send_row(transport_t *transport, const int32_t *row) {
  slot_t *slot = slot_of(transport, (uint32_t)row[0], row[1]);
  if (slot == NULL) return -EBADF;
  if (row[2] < 0 || row[3] < 0) return -EINVAL;
  size_t offset = (size_t)row[2], length = (size_t)row[3];
  if (offset > transport->output.length || length > transport->output.length - offset) return -EINVAL;
  /* There may be room again by now, for what would overtake its forerunner. */
  if (slot->stalled == transport->flush_count) return 0;
  ssize_t sent;
  do sent = send(slot->fd, (uint8_t *)transport->output.data + offset, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent != (ssize_t)length) slot->stalled = transport->flush_count;
  if (sent >= 0) return (int32_t)sent;
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

/*
 * flush(rows): sends each row's bytes, but none of a slot behind bytes of it that were not sent. Returns how many were not sent
 * whole; those rows stand first in the rows then, each with the offset and length of its rest, or with an error's negative number
 * for the length.
 */
static napi_value flush(napi_env env, napi_callback_info info) {
  int32_t rows;
  transport_t *transport = called_with(env, info, 1, &rows);
  if (transport == NULL) return NULL;
  if (rows < 0 || (size_t)rows * ROW > transport->output_rows.length) {
    napi_throw_range_error(env, NULL, "There are not so many rows");
    return NULL;
  }
  transport->flush_count++;
  int32_t *all = transport->output_rows.data;
  int32_t kept = 0;
  for (int32_t i = 0; i < rows; i++) {
    const int32_t *row = all + (size_t)i * ROW;
    int32_t sent = send_row(transport, row);
    if (sent == row[3]) continue;
    int32_t left[ROW] = {row[0], row[1], row[2] + (sent > 0 ? sent : 0), sent < 0 ? sent : row[3] - sent};
    memcpy(all + (size_t)kept * ROW, left, sizeof left);
    kept++;
  }
  return number_value(env, kept);
}

/* ---- making and ending ---- */

static void on_closed(uv_handle_t *poll) {
  transport_t *transport = poll->data;
  close(transport->epoll_fd);
  free(transport->slots);
  napi_async_cleanup_hook_handle cleanup = transport->cleanup;
  free(transport);
  napi_remove_async_cleanup_hook(cleanup);
}

/* The environment ends; its references end with it. */
static void on_cleanup(napi_async_cleanup_hook_handle cleanup, void *data) {
  transport_t *transport = data;
  transport->cleanup = cleanup;
  transport->closing = true;
  uv_close((uv_handle_t *)&transport->poll, on_closed);
}

static bool keep_memory(napi_env env, napi_value array, napi_typedarray_type wanted, memory_t *memory) {
  napi_typedarray_type type;
  return napi_get_typedarray_info(env, array, &type, &memory->length, &memory->data, NULL, NULL) == napi_ok &&
         type == wanted && napi_create_reference(env, array, 1, &memory->keeper) == napi_ok;
}

static bool keep_all(napi_env env, transport_t *transport, napi_value *given) {
  int32_t read_bytes;
  napi_value name;
  if (!keep_memory(env, given[0], napi_uint8_array, &transport->input) ||
      !keep_memory(env, given[1], napi_int32_array, &transport->input_rows) ||
      !keep_memory(env, given[2], napi_uint8_array, &transport->output) ||
      !keep_memory(env, given[3], napi_int32_array, &transport->output_rows)) {
    return false;
  }
  if (napi_get_value_int32(env, given[4], &read_bytes) != napi_ok || read_bytes < MIN_READ_BYTES ||
      transport->input.length < MIN_READ_BYTES || transport->input_rows.length < ROW ||
      transport->input.length > INT32_MAX || transport->output.length > INT32_MAX) {
    return false;
  }
  transport->read_bytes = (size_t)read_bytes;
  return napi_create_reference(env, given[5], 1, &transport->callback) == napi_ok &&
         napi_create_object(env, &given[5]) == napi_ok &&
         napi_create_reference(env, given[5], 1, &transport->receiver) == napi_ok &&
         napi_create_string_utf8(env, "PORTOLAN_TRANSPORT", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, NULL, name, &transport->async_context) == napi_ok;
}

static bool start_polling(napi_env env, transport_t *transport) {
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return false;
  transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (transport->epoll_fd < 0) return false;
  if (uv_poll_init(loop, &transport->poll, transport->epoll_fd) != 0) {
    close(transport->epoll_fd);
    return false;
  }
  transport->poll.data = transport;
  uv_poll_start(&transport->poll, UV_READABLE, on_readable);
  uv_unref((uv_handle_t *)&transport->poll);
  /* Ends the polling and frees the transport when the environment ends, and not before. */
  return napi_add_async_cleanup_hook(env, on_cleanup, transport, &transport->cleanup) == napi_ok;
}

/*
 * create(input, inputRows, output, outputRows, readBytes, onRows): the transport's functions. The arrays are used for as long as
 * the environment lives. `onRows(count)` is told slot, generation, offset and length of each read: length 0 says that the peer has
 * ended, below 0 that the read failed.
 */
static napi_value create(napi_env env, napi_callback_info info) {
  napi_value given[6], made;
  size_t count = 6;
  transport_t *transport = calloc(1, sizeof(transport_t));
  if (transport == NULL) return NULL;
  transport->env = env;
  if (napi_get_cb_info(env, info, &count, given, NULL, NULL) != napi_ok || count < 6 ||
      !keep_all(env, transport, given) || !start_polling(env, transport)) {
    /* Not freed: the loop may know of it already; it is one object of a process that goes on without it. */
    napi_throw_error(env, NULL, "The transport cannot be made");
    return NULL;
  }
  const struct {
    const char *name;
    napi_callback function;
  } functions[] = {{"attach", attach}, {"setReading", set_reading}, {"detach", detach}, {"flush", flush}};
  if (napi_create_object(env, &made) != napi_ok) return NULL;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, transport, &function) != napi_ok ||
        napi_set_named_property(env, made, functions[i].name, function) != napi_ok) {
      return NULL;
    }
  }
  return made;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "create", NAPI_AUTO_LENGTH, create, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "create", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
