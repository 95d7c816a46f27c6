// Graphs: API "Graph Management". Work is recorded in order and a launch counts it again; edges are not kept.
#include "runtime.h"

struct CUgraphExec_st {
  std::map<fake::Counter *, uint64_t> counts;
  uint64_t flops = 0, nodes = 0;
  std::vector<std::function<void()>> runs;
  std::set<const void *> uses;
  void *memory = nullptr; // what a driver takes for the graph besides the allocator's memory
};

namespace {

using namespace fake;
std::set<cudaGraphExec_t> &execs = *new std::set<cudaGraphExec_t>;

void replay(const CUgraphExec_st *x) {
  auto *n = counter("graph launch");
  n->direct++, n->replayed += x->nodes;
  counter("flops")->replayed += x->flops;
  for (auto &[count, times] : x->counts)
    count->replayed += times;
  for (auto &run : x->runs)
    run();
}

} // namespace

API cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *n) {
  LOCK;
  if (!graphs.count(g))
    return fail("cudaGraphGetNodes", cudaErrorInvalidValue);
  if (nodes)
    fake_trap("cudaGraphGetNodes with an array");
  *n = g->nodes.size();
  return cudaSuccess;
}

API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t g, unsigned long long) {
  LOCK;
  if (auto e = unsafe("cudaGraphInstantiateWithFlags"))
    return e;
  if (!graphs.count(g))
    return fail("cudaGraphInstantiateWithFlags", cudaErrorInvalidValue);
  void *memory = nullptr;
  if (auto n = setting("FAKECUDA_GRAPH_MEMORY", 0); n && !(memory = allocate(n)))
    return fail("cudaGraphInstantiateWithFlags", cudaErrorMemoryAllocation);
  auto *x = new CUgraphExec_st;
  x->memory = memory;
  for (auto &node : g->nodes) {
    if (node.count)
      x->counts[node.count]++;
    if (node.run)
      x->runs.push_back(node.run);
    x->flops += node.flops;
    x->uses.insert(node.uses.begin(), node.uses.end());
  }
  x->nodes = g->nodes.size();
  execs.insert(*exec = x);
  return cudaSuccess;
}

// A card reads freed memory without a word; here the launch fails.
API cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s) {
  LOCK;
  if (!execs.count(x))
    return fail("cudaGraphLaunch", cudaErrorInvalidValue);
  for (auto *p : x->uses)
    if (!inside(p, 1))
      return fail("cudaGraphLaunch", cudaErrorIllegalAddress, "uses memory that was freed after the capture");
  Work work;
  work.run = [x] { replay(x); };
  return submit("cudaGraphLaunch", s, std::move(work));
}

API cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  LOCK;
  if (!graphs.erase(g))
    return fail("cudaGraphDestroy", cudaErrorInvalidValue);
  delete g;
  return cudaSuccess;
}

API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x) {
  LOCK;
  if (!execs.erase(x))
    return fail("cudaGraphExecDestroy", cudaErrorInvalidValue);
  cudaFree(x->memory);
  delete x;
  return cudaSuccess;
}
