import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.apache.lucene.analysis.Analyzer;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.analysis.AnalyzerProvider;
import org.opensearch.index.analysis.PreBuiltAnalyzerProviderFactory;
import org.opensearch.index.mapper.MapperExtrasModulePlugin;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.opensearch.join.ParentJoinModulePlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.painless.PainlessModulePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.script.expression.ExpressionModulePlugin;
import org.opensearch.script.mustache.MustacheModulePlugin;
import org.opensearch.transport.Netty4ModulePlugin;

/**
 * One OpenSearch node as a process of its own, so that one of several can be killed. Its only argument is a folder
 * whose config/opensearch.yml says ports and peers; the runner's own main makes clusters inside one process alone.
 */
public final class OpenSearchNode {
    /** What a server of the distribution has and an adapter may use: analysis, scripts, delete and update by query. */
    private static final List<Class<? extends Plugin>> MODULES =
            List.of(
                    Analysis.class,
                    ExpressionModulePlugin.class,
                    MapperExtrasModulePlugin.class,
                    MustacheModulePlugin.class,
                    Netty4ModulePlugin.class,
                    PainlessModulePlugin.class,
                    ParentJoinModulePlugin.class,
                    ReindexModulePlugin.class);

    /** Without the Thai analyzer: every new index builds it, and a small Java runtime lacks the word rules it needs. */
    public static final class Analysis extends CommonAnalysisModulePlugin {
        @Override
        public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
            var analyzers = super.getAnalyzers();
            analyzers.remove("thai");
            return analyzers;
        }

        @Override
        public List<PreBuiltAnalyzerProviderFactory> getPreBuiltAnalyzerProviderFactories() {
            return super.getPreBuiltAnalyzerProviderFactories().stream()
                    .filter(factory -> !factory.getName().equals("thai"))
                    .toList();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Settings settings = Settings.builder().put("path.home", home.toString()).build();
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "node");
        LogConfigurator.registerErrorListener();
        LogConfigurator.configure(environment);
        OpenSearchRunnerNode node = new OpenSearchRunnerNode(environment, MODULES);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node, closed)));
        node.start();
        closed.await();
    }

    private static void close(OpenSearchRunnerNode node, CountDownLatch closed) {
        try {
            node.close();
        } catch (java.io.IOException error) {
            error.printStackTrace();
        } finally {
            closed.countDown();
        }
    }
}
