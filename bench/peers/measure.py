"""What the peers' scripts share: arguments, warm-up, timing, memory, one JSON line. As bench/measure.ts on our side.

python NAME.py SIZE [--steps N] [--batch N] [--warmup N] [options of the script]
"""
import argparse, json, statistics, time


def status_mb(field):
    """A field of /proc/self/status in MB: VmRSS, resident memory; VmHWM, its peak."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field + ":"))


def arguments(sizes, batch, **options):
    """Parses the command line; `options` are add_argument's keywords by name. Call it once the library is imported and before anything is made."""
    p = argparse.ArgumentParser()
    p.add_argument("size", choices=sizes)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--batch", type=int, default=batch)
    p.add_argument("--warmup", type=int, default=2)
    for name, keywords in options.items():
        p.add_argument("--" + name.replace("_", "-"), **keywords)
    a = p.parse_args()
    a.loaded_mb = status_mb("VmRSS")
    return a


def adamw(net, optimizer):
    """torch.optim.AdamW as MindEye groups its parameters; `optimizer` is adamw or adamw_fused."""
    import torch
    groups = ([], [])
    for name, q in net.named_parameters():
        groups["bias" in name].append(q)
    return torch.optim.AdamW([dict(params=groups[0], weight_decay=0.01), dict(params=groups[1], weight_decay=0.0)],
                             lr=3e-4, **(dict(fused=True) if optimizer == "adamw_fused" else {}))


OPTIMIZER = dict(choices=("adamw", "adamw_fused"), default="adamw_fused")


def benchmark(a, step, parameters, **facts):
    """Runs and times `step()`, which returns a number once all is computed, and prints the JSON line."""
    times, cpu, value = [], [], None
    for _ in range(a.warmup + a.steps):
        start, start_cpu = time.perf_counter(), time.process_time()
        value = step()
        times.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - start_cpu) * 1e3)
    times, cpu = times[a.warmup:], cpu[a.warmup:]
    print(json.dumps(dict(ms=statistics.median(times), cpu_ms=statistics.median(cpu), peak_mb=status_mb("VmHWM") - a.loaded_mb, loaded_mb=a.loaded_mb,
                          times=[round(t, 1) for t in times], size=a.size, batch=a.batch, parameters=parameters, value=value, **facts)))
