//! Every shader of a model alone, with the bytes and operations it declares, against what the adapter reaches when a
//! shader does nothing else. `YARDSTICK_MODEL=FILE cargo bench -p yardstick-wgpu [-- FILTER]`; without a file a small
//! model is made up. `YARDSTICK_ADAPTER=1` chooses wgpu:1.
#![allow(missing_docs, reason = "criterion's macros write functions without")]

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use yardstick_api::{Backend, Device, Known, Limit};
use yardstick_model::Model;
use yardstick_wgpu::Wgpu;
use yardstick_wgpu::bench::{Shader, adapter, shaders};

fn main() {
    let number = std::env::var("YARDSTICK_ADAPTER").ok().and_then(|number| number.parse().ok());
    let Some(device) = adapter(number) else {
        return println!("skipped: {:?}", Wgpu::default().devices());
    };
    // The choices of a bench are not those that programs find.
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return println!("skipped: {error}"),
    };
    let shaders = match model().map(|model| shaders(&device, &model, folder.path())) {
        Ok(Ok(shaders)) => shaders,
        Ok(Err(error)) => return println!("skipped: {error}"),
        Err(error) => return println!("skipped: {error}"),
    };
    let mut criterion = Criterion::default().configure_from_args();
    if std::env::args().any(|argument| argument == "--bench") {
        ceilings(&device);
    }
    for shader in &shaders {
        bench(&mut criterion, shader);
    }
    criterion.final_summary();
}

fn model() -> Result<Arc<Model>, yardstick_model::Error> {
    if let Ok(file) = std::env::var("YARDSTICK_MODEL") {
        return Ok(Arc::new(Model::open(Path::new(&file))?));
    }
    let mut models = yardstick_api::conformance::synthetic::models()?;
    Ok(models.swap_remove(1).1)
}

/// What everything below is held against.
fn ceilings(device: &Device) {
    for limit in [Limit::Read { bytes: 64 << 20 }, Limit::F32, Limit::F16, Limit::Int8] {
        match Wgpu::default().ceiling(device, limit, None) {
            Known::Value(reached) => {
                println!("{limit}: {:.3e} {} ({})", reached.value, limit.unit(), reached.how);
            }
            Known::Unavailable { unavailable } => println!("{limit}: {unavailable}"),
        }
    }
}

fn bench(criterion: &mut Criterion, shader: &Shader) {
    let mut group = criterion.benchmark_group("wgpu");
    if shader.bytes > 0 {
        group.throughput(Throughput::Bytes(shader.bytes));
    }
    let name =
        format!("{} ({} bytes, {} operations)", shader.name, shader.bytes, shader.operations);
    group.sample_size(10).bench_function(name, |bencher| {
        bencher.iter_custom(|times| shader.run(times).expect("the adapter computes"));
    });
    group.finish();
}
