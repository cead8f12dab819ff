/*
 * Read before ssh2's binding.cc. Since Node 24 an ObjectWrap takes back a hook of its environment when it is collected,
 * and finds the environment by the context that is entered. Garbage that is collected by a task of V8 is collected in
 * none: then the whole process is ended by an assertion (api/hooks.cc, "(env) != nullptr"). The hook would free what is
 * left at the end of a worker, where nobody loads this library; so there is none.
 */
#include <node.h>

namespace node {
inline void NoCleanupHook(v8::Isolate*, void (*)(void*), void*) {}
}

#define AddEnvironmentCleanupHook NoCleanupHook
#define RemoveEnvironmentCleanupHook NoCleanupHook
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook
